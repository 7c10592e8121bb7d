def test_page():
    text = open('docs/on_flatten_keys.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`flatten_keys`'])
