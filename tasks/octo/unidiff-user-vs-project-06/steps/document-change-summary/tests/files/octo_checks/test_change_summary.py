def test_page():
    text = open('docs/on_change_summary.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`strip_side`', '`change_summary`'])
