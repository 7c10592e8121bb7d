def test_page():
    text = open('docs/on_version_tuple.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`version_tuple`'])
