from boltons.iterutils import every_nth


def test_1():
    assert every_nth([1, 2, 3, 4, 5]) == [1, 3, 5]


def test_2():
    assert every_nth([1, 2, 3, 4, 5], 2, 1) == [2, 4]


def test_3():
    assert every_nth([], 3) == []


def test_tests():
    assert 'every_nth' in open('tests/test_every_nth.py').read()
