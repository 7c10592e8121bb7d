def test_page():
    text = open('docs/on_column_widths.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`pad_rows`', '`column_widths`'])
