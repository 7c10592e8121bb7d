def test_page():
    text = open('docs/on_rename_keys.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`rename_keys`'])
