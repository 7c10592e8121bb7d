def test_page():
    text = open('docs/on_run_lengths.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`split_at`', '`every_nth`', '`run_lengths`'])
