from toolz.dicttoolz import count_values


def test_1():
    assert count_values({"a": 1, "b": 1, "c": 2}) == {1: 2, 2: 1}


def test_2():
    assert count_values({}) == {}


def test_3():
    assert count_values({"a": None}) == {None: 1}


def test_tests():
    assert 'count_values' in open('toolz/tests/test_count_values.py').read()
