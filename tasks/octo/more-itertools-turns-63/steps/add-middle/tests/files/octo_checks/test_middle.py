from more_itertools.recipes import middle


def test_1():
    assert middle([1, 2, 3]) == [2]


def test_2():
    assert middle([1, 2, 3, 4], 2) == [2, 3]


def test_3():
    assert middle([], 2) == []


def test_tests():
    assert 'middle' in open('tests/test_middle.py').read()
