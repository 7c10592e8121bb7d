from tinydb.utils import group_ids


def test_1():
    assert group_ids([{"a": 1}, {"a": 2}, {"a": 1}], "a") == {1: [0, 2], 2: [1]}


def test_2():
    assert group_ids([], "a") == {}


def test_3():
    assert group_ids([{}], "a") == {None: [0]}


def test_tests():
    assert 'group_ids' in open('tests/test_group_ids.py').read()
