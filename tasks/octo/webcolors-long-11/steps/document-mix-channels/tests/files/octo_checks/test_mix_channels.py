def test_page():
    text = open('docs/on_mix_channels.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`mix_channels`'])
