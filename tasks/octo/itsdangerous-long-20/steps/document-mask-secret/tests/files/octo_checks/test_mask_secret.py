def test_page():
    text = open('docs/on_mask_secret.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`strip_padding`', '`missing_padding`', '`mask_secret`'])
