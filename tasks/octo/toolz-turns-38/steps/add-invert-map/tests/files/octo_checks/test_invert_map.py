from toolz.dicttoolz import invert_map


def test_1():
    assert invert_map({"a": 1}) == {1: "a"}


def test_2():
    assert invert_map({}) == {}


def test_3():
    assert invert_map({"a": 1, "b": 1}) == {1: "b"}


def test_tests():
    assert 'invert_map' in open('toolz/tests/test_invert_map.py').read()
