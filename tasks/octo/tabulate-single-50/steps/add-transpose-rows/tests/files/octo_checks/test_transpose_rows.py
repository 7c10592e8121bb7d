from tabulate import transpose_rows


def test_1():
    assert transpose_rows([[1, 2], [3, 4]]) == [[1, 3], [2, 4]]


def test_2():
    assert transpose_rows([]) == []


def test_3():
    assert transpose_rows([[1]]) == [[1]]


def test_tests():
    assert 'transpose_rows' in open('test/test_transpose_rows.py').read()
