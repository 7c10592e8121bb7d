def test_page():
    text = open('docs/on_invert_channel.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`invert_channel`'])
