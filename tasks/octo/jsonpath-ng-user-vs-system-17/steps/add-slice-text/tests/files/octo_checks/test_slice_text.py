from jsonpath_ng.ext.string import slice_text


def test_1():
    assert slice_text("abcdef", 1, 3) == "bcd"


def test_2():
    assert slice_text("abc") == "abc"


def test_3():
    assert slice_text("", 2) == ""


def test_tests():
    assert 'slice_text' in open('tests/test_slice_text.py').read()
