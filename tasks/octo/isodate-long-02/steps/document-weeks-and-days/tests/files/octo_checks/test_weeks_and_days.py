def test_page():
    text = open('docs/on_weeks_and_days.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`pad_number`', '`split_seconds`', '`weeks_and_days`'])
