def test_page():
    text = open('docs/on_strip_default_port.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`strip_default_port`'])
