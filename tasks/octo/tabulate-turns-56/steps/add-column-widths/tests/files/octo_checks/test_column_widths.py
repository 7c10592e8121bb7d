from tabulate import column_widths


def test_1():
    assert column_widths([["a", "bb"], ["ccc", "d"]]) == [3, 2]


def test_2():
    assert column_widths([]) == []


def test_3():
    assert column_widths([["", "a"]]) == [0, 1]


def test_tests():
    assert 'column_widths' in open('test/test_column_widths.py').read()
