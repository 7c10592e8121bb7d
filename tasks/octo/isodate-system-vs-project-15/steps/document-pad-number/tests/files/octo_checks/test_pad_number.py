def test_page():
    text = open('docs/on_pad_number.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`weeks_and_days`', '`pad_number`'])
