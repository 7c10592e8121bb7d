def test_page():
    text = open('docs/on_hunk_header.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`hunk_header`'])
