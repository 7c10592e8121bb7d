def test_page():
    text = open('docs/on_project.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`project`'])
