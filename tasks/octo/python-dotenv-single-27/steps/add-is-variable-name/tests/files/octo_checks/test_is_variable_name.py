from dotenv.variables import is_variable_name


def test_1():
    assert is_variable_name("A_1") is True


def test_2():
    assert is_variable_name("1A") is False


def test_3():
    assert is_variable_name("") is False


def test_tests():
    assert 'is_variable_name' in open('tests/test_is_variable_name.py').read()
