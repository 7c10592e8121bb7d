from addict.addict import flatten_keys


def test_1():
    assert flatten_keys({"a": {"b": 1, "c": 2}, "d": 3}) == ["a.b", "a.c", "d"]


def test_2():
    assert flatten_keys({"a": {"b": 1}}, "/") == ["a/b"]


def test_3():
    assert flatten_keys({}) == []


def test_tests():
    assert 'flatten_keys' in open('test_flatten_keys.py').read()
