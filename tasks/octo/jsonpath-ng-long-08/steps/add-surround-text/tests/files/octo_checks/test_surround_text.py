from jsonpath_ng.ext.string import surround_text


def test_1():
    assert surround_text("a") == "(a)"


def test_2():
    assert surround_text("a", "[", "]") == "[a]"


def test_3():
    assert surround_text("") == "()"


def test_tests():
    assert 'surround_text' in open('tests/test_surround_text.py').read()
