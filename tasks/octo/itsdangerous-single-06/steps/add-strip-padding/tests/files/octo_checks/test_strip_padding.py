from itsdangerous.encoding import strip_padding


def test_1():
    assert strip_padding("abc==") == "abc"


def test_2():
    assert strip_padding("") == ""


def test_3():
    assert strip_padding("a=b=") == "a=b"


def test_tests():
    assert 'strip_padding' in open('tests/test_strip_padding.py').read()
