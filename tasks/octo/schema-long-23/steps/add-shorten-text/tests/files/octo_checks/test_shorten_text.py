from schema import shorten_text


def test_1():
    assert shorten_text("abc") == "abc"


def test_2():
    assert shorten_text("abcdefgh", 6) == "abc..."


def test_3():
    assert shorten_text("", 5) == ""


def test_tests():
    assert 'shorten_text' in open('test_shorten_text.py').read()
