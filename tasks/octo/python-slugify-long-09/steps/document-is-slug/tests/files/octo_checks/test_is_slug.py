def test_page():
    text = open('docs/on_is_slug.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`slug_words`', '`unique_slug`', '`is_slug`'])
