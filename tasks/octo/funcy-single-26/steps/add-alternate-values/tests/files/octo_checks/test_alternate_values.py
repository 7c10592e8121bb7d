from funcy.seqs import alternate_values


def test_1():
    assert alternate_values([1, 3], [2, 4]) == [1, 2, 3, 4]


def test_2():
    assert alternate_values([], [1]) == []


def test_3():
    assert alternate_values([1, 2], [9]) == [1, 9]


def test_tests():
    assert 'alternate_values' in open('tests/test_alternate_values.py').read()
