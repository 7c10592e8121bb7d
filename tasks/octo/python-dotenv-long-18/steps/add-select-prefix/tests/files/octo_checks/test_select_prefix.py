from dotenv.variables import select_prefix


def test_1():
    assert select_prefix({"X_A": "1", "B": "2"}, "X_") == {"A": "1"}


def test_2():
    assert select_prefix({}, "X_") == {}


def test_3():
    assert select_prefix({"A": "1"}, "") == {"A": "1"}


def test_tests():
    assert 'select_prefix' in open('tests/test_select_prefix.py').read()
