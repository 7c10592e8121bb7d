def test_page():
    text = open('docs/on_unique_receivers.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`matches_topic`', '`unique_receivers`'])
