from cachetools.keys import lowerkey


def test_1():
    assert lowerkey(" Ab ") == "ab"


def test_2():
    assert lowerkey("X", "user:") == "user:x"


def test_3():
    assert lowerkey("") == ""


def test_tests():
    assert 'lowerkey' in open('tests/test_lowerkey.py').read()
