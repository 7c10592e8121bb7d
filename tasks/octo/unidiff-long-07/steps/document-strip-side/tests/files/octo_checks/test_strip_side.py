def test_page():
    text = open('docs/on_strip_side.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`hunk_header`', '`change_summary`', '`strip_side`'])
