from schema import shorten


def test_1():
    assert shorten("abc") == "abc"


def test_2():
    assert shorten("abcdefgh", 6) == "abc..."


def test_3():
    assert shorten("", 5) == ""


def test_tests():
    assert 'shorten' in open('test_shorten.py').read()
