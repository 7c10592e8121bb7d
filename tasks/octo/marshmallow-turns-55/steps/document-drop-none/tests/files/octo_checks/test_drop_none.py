def test_page():
    text = open('docs/on_drop_none.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`as_list`', '`drop_none`'])
