def test_page():
    text = open('docs/on_missing_keys.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`conflicting_keys`', '`merge_unique`', '`missing_keys`'])
