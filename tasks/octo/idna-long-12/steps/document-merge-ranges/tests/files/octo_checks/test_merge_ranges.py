def test_page():
    text = open('docs/on_merge_ranges.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`merge_ranges`'])
