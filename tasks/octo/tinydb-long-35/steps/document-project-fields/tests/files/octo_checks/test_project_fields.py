def test_page():
    text = open('docs/on_project_fields.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`project_fields`'])
