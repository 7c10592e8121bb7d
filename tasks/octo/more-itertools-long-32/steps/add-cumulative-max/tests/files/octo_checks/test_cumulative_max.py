from more_itertools.recipes import cumulative_max


def test_1():
    assert cumulative_max([1, 3, 2]) == [1, 3, 3]


def test_2():
    assert cumulative_max([]) == []


def test_3():
    assert cumulative_max([2, 1]) == [2, 2]


def test_tests():
    assert 'cumulative_max' in open('tests/test_cumulative_max.py').read()
