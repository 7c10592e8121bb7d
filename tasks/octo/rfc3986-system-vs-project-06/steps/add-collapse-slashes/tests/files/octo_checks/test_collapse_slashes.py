from rfc3986.normalizers import collapse_slashes


def test_1():
    assert collapse_slashes("/a//b///c") == "/a/b/c"


def test_2():
    assert collapse_slashes("") == ""


def test_3():
    assert collapse_slashes("/a/") == "/a/"


def test_tests():
    assert 'collapse_slashes' in open('tests/test_collapse_slashes.py').read()
