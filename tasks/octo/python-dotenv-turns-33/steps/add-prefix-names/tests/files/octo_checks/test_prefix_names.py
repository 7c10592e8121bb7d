from dotenv.variables import prefix_names


def test_1():
    assert prefix_names({"A": "1"}, "X_") == {"X_A": "1"}


def test_2():
    assert prefix_names({}, "X_") == {}


def test_3():
    assert prefix_names({"A": None}, "") == {"A": None}


def test_tests():
    assert 'prefix_names' in open('tests/test_prefix_names.py').read()
