def test_page():
    text = open('docs/on_release_line.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`release_line`'])
