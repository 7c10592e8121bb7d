def test_page():
    text = open('docs/on_header_name.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`header_name`'])
