def test_page():
    text = open('docs/on_join_path.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`parent_of`', '`is_below`', '`join_path`'])
