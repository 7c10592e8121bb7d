def test_page():
    text = open('docs/on_select_prefix.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`select_prefix`'])
