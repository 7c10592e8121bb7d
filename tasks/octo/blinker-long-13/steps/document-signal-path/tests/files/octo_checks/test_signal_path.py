def test_page():
    text = open('docs/on_signal_path.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`unique_receivers`', '`matches_topic`', '`signal_path`'])
