from pyrsistent._helpers import without_index


def test_1():
    assert without_index([1, 2, 3], 1) == [1, 3]


def test_2():
    assert without_index([], 0) == []


def test_3():
    assert without_index([1], 5) == [1]


def test_tests():
    assert 'without_index' in open('tests/test_without_index.py').read()
