def test_page():
    text = open('docs/on_slug_words.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`slug_words`'])
