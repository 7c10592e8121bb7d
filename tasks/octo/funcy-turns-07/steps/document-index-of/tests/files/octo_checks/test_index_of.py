def test_page():
    text = open('docs/on_index_of.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`index_of`'])
