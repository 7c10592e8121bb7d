def test_page():
    text = open('docs/on_is_redirect.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`is_redirect`'])
