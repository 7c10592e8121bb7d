def test_page():
    text = open('docs/on_count_values.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`invert_map`', '`count_values`'])
