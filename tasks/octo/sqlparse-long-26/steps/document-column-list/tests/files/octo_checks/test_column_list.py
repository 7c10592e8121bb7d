def test_page():
    text = open('docs/on_column_list.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`column_list`'])
