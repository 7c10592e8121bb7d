def test_page():
    text = open('docs/on_middle_of.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`middle_of`'])
