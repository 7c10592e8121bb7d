def test_page():
    text = open('docs/on_without_index.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`without_index`'])
