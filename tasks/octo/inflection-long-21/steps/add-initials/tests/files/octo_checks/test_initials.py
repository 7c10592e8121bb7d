from inflection import initials


def test_1():
    assert initials("read the manual") == "RTM"


def test_2():
    assert initials("a b", ".") == "A.B."


def test_3():
    assert initials("") == ""


def test_tests():
    assert 'initials' in open('test_initials.py').read()
