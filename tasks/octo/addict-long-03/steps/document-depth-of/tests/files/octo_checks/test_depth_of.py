def test_page():
    text = open('docs/on_depth_of.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`count_leaves`', '`flatten_keys`', '`depth_of`'])
