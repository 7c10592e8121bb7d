def test_page():
    text = open('docs/on_backoff_delays.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`attempt_label`', '`total_delay`', '`backoff_delays`'])
