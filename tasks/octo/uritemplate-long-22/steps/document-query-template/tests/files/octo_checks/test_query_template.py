def test_page():
    text = open('docs/on_query_template.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`query_template`'])
