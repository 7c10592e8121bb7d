def test_page():
    text = open('docs/on_transpose_rows.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`transpose_rows`'])
