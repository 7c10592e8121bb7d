from voluptuous.util import squeeze_blanks


def test_1():
    assert squeeze_blanks(" a  b ") == "a b"


def test_2():
    assert squeeze_blanks("") == ""


def test_3():
    assert squeeze_blanks("a\tb") == "a b"


def test_tests():
    assert 'squeeze_blanks' in open('voluptuous/tests/test_squeeze_blanks.py').read()
