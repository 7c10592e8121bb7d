def test_page():
    text = open('docs/on_escape_braces.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`brace_count`', '`escape_braces`'])
