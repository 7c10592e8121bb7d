from funcy.seqs import alternate


def test_1():
    assert alternate([1, 3], [2, 4]) == [1, 2, 3, 4]


def test_2():
    assert alternate([], [1]) == []


def test_3():
    assert alternate([1, 2], [9]) == [1, 9]


def test_tests():
    assert 'alternate' in open('tests/test_alternate.py').read()
