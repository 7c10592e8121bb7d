def test_page():
    text = open('docs/on_split_at.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`split_at`'])
