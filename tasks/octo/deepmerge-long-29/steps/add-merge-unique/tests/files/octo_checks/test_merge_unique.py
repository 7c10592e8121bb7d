from deepmerge.extended_set import merge_unique


def test_1():
    assert merge_unique([1, 2], [2, 3]) == [1, 2, 3]


def test_2():
    assert merge_unique([], [{"a": 1}]) == [{"a": 1}]


def test_3():
    assert merge_unique([1], []) == [1]


def test_tests():
    assert 'merge_unique' in open('deepmerge/tests/test_merge_unique.py').read()
