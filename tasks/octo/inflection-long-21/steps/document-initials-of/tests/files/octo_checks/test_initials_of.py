def test_page():
    text = open('docs/on_initials_of.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`count_words`', '`swap_separator`', '`initials_of`'])
