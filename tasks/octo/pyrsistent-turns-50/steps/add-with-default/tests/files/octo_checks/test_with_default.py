from pyrsistent._helpers import with_default


def test_1():
    assert with_default({"a": 1}, "b", 2) == {"a": 1, "b": 2}


def test_2():
    assert with_default({"a": 1}, "a", 2) == {"a": 1}


def test_3():
    assert with_default({}, "a", None) == {"a": None}


def test_tests():
    assert 'with_default' in open('tests/test_with_default.py').read()
