def test_page():
    text = open('docs/on_dotted_keys.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`quote_key`', '`type_label`', '`dotted_keys`'])
