from jsonpath_ng.ext.string import replace_all


def test_1():
    assert replace_all("abc", {"a": "1", "c": "3"}) == "1b3"


def test_2():
    assert replace_all("abc", {}) == "abc"


def test_3():
    assert replace_all("aa", {"a": "b", "b": "c"}) == "cc"


def test_tests():
    assert 'replace_all' in open('tests/test_replace_all.py').read()
