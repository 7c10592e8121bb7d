from parse import escape_braces


def test_1():
    assert escape_braces("{a}") == "{{a}}"


def test_2():
    assert escape_braces("a") == "a"


def test_3():
    assert escape_braces("") == ""


def test_tests():
    assert 'escape_braces' in open('tests/test_escape_braces.py').read()
