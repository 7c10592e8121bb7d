from pyrsistent._helpers import changed_keys


def test_1():
    assert changed_keys({"a": 1}, {"a": 2, "b": 3}) == ["a", "b"]


def test_2():
    assert changed_keys({"a": 1}, {"a": 1}) == []


def test_3():
    assert changed_keys({}, {}) == []


def test_tests():
    assert 'changed_keys' in open('tests/test_changed_keys.py').read()
