from jsonpath_ng.ext.string import surround


def test_1():
    assert surround("a") == "(a)"


def test_2():
    assert surround("a", "[", "]") == "[a]"


def test_3():
    assert surround("") == "()"


def test_tests():
    assert 'surround' in open('tests/test_surround.py').read()
