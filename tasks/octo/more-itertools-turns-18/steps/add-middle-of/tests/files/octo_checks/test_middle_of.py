from more_itertools.recipes import middle_of


def test_1():
    assert middle_of([1, 2, 3]) == [2]


def test_2():
    assert middle_of([1, 2, 3, 4], 2) == [2, 3]


def test_3():
    assert middle_of([], 2) == []


def test_tests():
    assert 'middle_of' in open('tests/test_middle_of.py').read()
