def test_page():
    text = open('docs/on_replace_all.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`slice_text`', '`replace_all`'])
