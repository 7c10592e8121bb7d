def test_page():
    text = open('docs/on_join_errors.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`shorten_text`', '`missing_names`', '`join_errors`'])
