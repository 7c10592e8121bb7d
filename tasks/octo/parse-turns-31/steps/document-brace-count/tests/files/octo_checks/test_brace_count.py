def test_page():
    text = open('docs/on_brace_count.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`brace_count`'])
