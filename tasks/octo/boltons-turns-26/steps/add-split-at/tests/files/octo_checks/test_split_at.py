from boltons.iterutils import split_at


def test_1():
    assert split_at([1, 2, 3], 1) == ([1], [2, 3])


def test_2():
    assert split_at([], 2) == ([], [])


def test_3():
    assert split_at([1, 2, 3], -1) == ([1, 2], [3])


def test_tests():
    assert 'split_at' in open('tests/test_split_at.py').read()
