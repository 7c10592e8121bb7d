def test_page():
    text = open('docs/on_bytes_left.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`bytes_left`'])
