def test_page():
    text = open('docs/on_total_delay.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`total_delay`'])
