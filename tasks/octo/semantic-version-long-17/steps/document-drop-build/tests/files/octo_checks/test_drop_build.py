def test_page():
    text = open('docs/on_drop_build.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`drop_build`'])
