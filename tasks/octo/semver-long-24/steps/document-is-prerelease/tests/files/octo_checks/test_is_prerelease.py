def test_page():
    text = open('docs/on_is_prerelease.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`is_prerelease`'])
