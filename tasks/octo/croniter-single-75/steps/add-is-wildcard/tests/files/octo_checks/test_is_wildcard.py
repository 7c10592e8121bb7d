from croniter.croniter import is_wildcard


def test_1():
    assert is_wildcard("*") is True


def test_2():
    assert is_wildcard("*/2") is False


def test_3():
    assert is_wildcard("0") is False


def test_tests():
    assert 'is_wildcard' in open('src/croniter/tests/test_is_wildcard.py').read()
