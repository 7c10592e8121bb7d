def test_page():
    text = open('docs/on_self_closing.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`self_closing`'])
