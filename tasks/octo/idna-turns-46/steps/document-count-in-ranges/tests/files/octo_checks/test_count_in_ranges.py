def test_page():
    text = open('docs/on_count_in_ranges.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`count_in_ranges`'])
