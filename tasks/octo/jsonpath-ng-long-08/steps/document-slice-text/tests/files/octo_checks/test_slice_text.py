def test_page():
    text = open('docs/on_slice_text.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`replace_all`', '`surround_text`', '`slice_text`'])
