def test_page():
    text = open('docs/on_swap_separator.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`swap_separator`'])
