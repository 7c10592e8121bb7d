def test_page():
    text = open('docs/on_parent_of.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`parent_of`'])
