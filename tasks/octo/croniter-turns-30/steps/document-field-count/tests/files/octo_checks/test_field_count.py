def test_page():
    text = open('docs/on_field_count.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`is_wildcard`', '`field_count`'])
