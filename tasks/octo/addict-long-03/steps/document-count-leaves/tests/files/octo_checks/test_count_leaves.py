def test_page():
    text = open('docs/on_count_leaves.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`count_leaves`'])
