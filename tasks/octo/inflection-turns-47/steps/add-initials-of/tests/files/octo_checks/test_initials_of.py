from inflection import initials_of


def test_1():
    assert initials_of("read the manual") == "RTM"


def test_2():
    assert initials_of("a b", ".") == "A.B."


def test_3():
    assert initials_of("") == ""


def test_tests():
    assert 'initials_of' in open('test_initials_of.py').read()
