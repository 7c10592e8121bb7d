def test_page():
    text = open('docs/on_path_names.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`common_prefix`', '`path_names`'])
