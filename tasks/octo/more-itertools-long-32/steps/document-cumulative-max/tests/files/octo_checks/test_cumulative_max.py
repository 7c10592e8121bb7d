def test_page():
    text = open('docs/on_cumulative_max.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`cumulative_max`'])
