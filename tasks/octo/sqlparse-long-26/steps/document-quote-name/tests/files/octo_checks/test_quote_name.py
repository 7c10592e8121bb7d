def test_page():
    text = open('docs/on_quote_name.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`column_list`', '`count_statements`', '`quote_name`'])
