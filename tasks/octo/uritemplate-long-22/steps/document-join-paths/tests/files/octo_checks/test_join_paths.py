def test_page():
    text = open('docs/on_join_paths.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`query_template`', '`is_template`', '`join_paths`'])
