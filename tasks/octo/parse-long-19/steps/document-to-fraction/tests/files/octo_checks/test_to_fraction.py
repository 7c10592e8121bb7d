def test_page():
    text = open('docs/on_to_fraction.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`to_fraction`'])
