from uritemplate.api import is_template


def test_1():
    assert is_template("/a/{b}") is True


def test_2():
    assert is_template("/a/b") is False


def test_3():
    assert is_template("") is False


def test_tests():
    assert 'is_template' in open('tests/test_is_template.py').read()
