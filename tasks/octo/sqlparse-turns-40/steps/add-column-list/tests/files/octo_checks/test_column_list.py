from sqlparse.utils import column_list


def test_1():
    assert column_list(["a", "b"]) == "a, b"


def test_2():
    assert column_list(["a"], "t") == "t.a"


def test_3():
    assert column_list([]) == ""


def test_tests():
    assert 'column_list' in open('tests/test_column_list.py').read()
