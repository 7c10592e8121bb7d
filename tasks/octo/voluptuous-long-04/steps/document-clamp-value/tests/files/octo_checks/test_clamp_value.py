def test_page():
    text = open('docs/on_clamp_value.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`blank_to_none`', '`squeeze_blanks`', '`clamp_value`'])
