def test_page():
    text = open('docs/on_bucketkey.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`bucketkey`'])
