from marshmallow.utils import rename_keys


def test_1():
    assert rename_keys({"a": 1, "b": 2}, {"a": "x"}) == {"x": 1, "b": 2}


def test_2():
    assert rename_keys({}, {"a": "x"}) == {}


def test_3():
    assert rename_keys({"a": 1}, {}) == {"a": 1}


def test_tests():
    assert 'rename_keys' in open('tests/test_rename_keys.py').read()
