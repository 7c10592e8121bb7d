def test_page():
    text = open('docs/on_attempt_label.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`attempt_label`'])
