def test_page():
    text = open('docs/on_is_variable_name.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`prefix_names`', '`is_variable_name`'])
