from funcy.seqs import take_while_sum


def test_1():
    assert take_while_sum([1, 2, 3], 3) == [1, 2]


def test_2():
    assert take_while_sum([], 3) == []


def test_3():
    assert take_while_sum([5], 3) == []


def test_tests():
    assert 'take_while_sum' in open('tests/test_take_while_sum.py').read()
