from w3lib.http import media_type


def test_1():
    assert media_type("Text/HTML; charset=utf-8") == "text/html"


def test_2():
    assert media_type("") == ""


def test_3():
    assert media_type("a/b") == "a/b"


def test_tests():
    assert 'media_type' in open('tests/test_media_type.py').read()
