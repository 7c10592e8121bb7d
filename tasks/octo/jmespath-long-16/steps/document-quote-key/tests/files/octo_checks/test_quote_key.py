def test_page():
    text = open('docs/on_quote_key.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`quote_key`'])
