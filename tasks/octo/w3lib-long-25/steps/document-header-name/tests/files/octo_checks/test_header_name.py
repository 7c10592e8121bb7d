def test_page():
    text = open('docs/on_header_name.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`is_redirect`', '`media_type`', '`header_name`'])
