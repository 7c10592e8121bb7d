from cachetools.keys import joinkey


def test_1():
    assert joinkey(["a", None, 1]) == "a:1"


def test_2():
    assert joinkey([]) == ""


def test_3():
    assert joinkey([0, ""], "/") == "0/"


def test_tests():
    assert 'joinkey' in open('tests/test_joinkey.py').read()
