def test_page():
    text = open('docs/on_alternate_values.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`take_while_sum`', '`index_of`', '`alternate_values`'])
