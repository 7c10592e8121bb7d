def test_page():
    text = open('docs/on_group_ids.md').read()
    assert text.lstrip().startswith('# ')
    assert all(name in text for name in ['`project_fields`', '`next_id`', '`group_ids`'])
