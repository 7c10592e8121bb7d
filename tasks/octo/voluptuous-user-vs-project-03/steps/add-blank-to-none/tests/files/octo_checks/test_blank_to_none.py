from voluptuous.util import blank_to_none


def test_1():
    assert blank_to_none(" ") is None


def test_2():
    assert blank_to_none("a") == "a"


def test_3():
    assert blank_to_none(" a") == " a"


def test_tests():
    assert 'blank_to_none' in open('voluptuous/tests/test_blank_to_none.py').read()
