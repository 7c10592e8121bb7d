def test_page():
    text = open('docs/on_short_hex.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`mix_channels`', '`invert_channel`', '`short_hex`'])
