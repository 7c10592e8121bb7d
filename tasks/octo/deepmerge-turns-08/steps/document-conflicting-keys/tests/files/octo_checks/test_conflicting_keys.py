def test_page():
    text = open('docs/on_conflicting_keys.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`conflicting_keys`'])
