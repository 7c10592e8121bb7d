def test_page():
    text = open('docs/on_collapse_slashes.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`strip_default_port`', '`collapse_slashes`'])
