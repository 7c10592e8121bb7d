def test_page():
    text = open('docs/on_with_default.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`without_index`', '`changed_keys`', '`with_default`'])
