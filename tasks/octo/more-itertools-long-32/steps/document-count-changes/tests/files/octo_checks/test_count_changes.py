def test_page():
    text = open('docs/on_count_changes.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`cumulative_max`', '`middle_of`', '`count_changes`'])
