def test_page():
    text = open('docs/on_split_attributes.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`attribute_key`', '`self_closing`', '`split_attributes`'])
