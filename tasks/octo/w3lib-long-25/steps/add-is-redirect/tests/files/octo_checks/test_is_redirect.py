from w3lib.http import is_redirect


def test_1():
    assert is_redirect(301) is True


def test_2():
    assert is_redirect(200) is False


def test_3():
    assert is_redirect(304) is False


def test_tests():
    assert 'is_redirect' in open('tests/test_is_redirect.py').read()
