from tabulate import pad_rows


def test_1():
    assert pad_rows([[1], [1, 2]]) == [[1, ""], [1, 2]]


def test_2():
    assert pad_rows([]) == []


def test_3():
    assert pad_rows([[], [1]], 0) == [[0], [1]]


def test_tests():
    assert 'pad_rows' in open('test/test_pad_rows.py').read()
