from marshmallow.utils import drop_none


def test_1():
    assert drop_none({"a": None, "b": 0}) == {"b": 0}


def test_2():
    assert drop_none({}) == {}


def test_3():
    assert drop_none({"a": ""}) == {"a": ""}


def test_tests():
    assert 'drop_none' in open('tests/test_drop_none.py').read()
