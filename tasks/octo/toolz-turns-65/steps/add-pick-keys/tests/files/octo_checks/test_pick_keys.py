from toolz.dicttoolz import pick_keys


def test_1():
    assert pick_keys({"a": 1, "b": 2}, ["b"]) == {"b": 2}


def test_2():
    assert pick_keys({}, ["b"]) == {}


def test_3():
    assert pick_keys({"a": 1}, []) == {}


def test_tests():
    assert 'pick_keys' in open('toolz/tests/test_pick_keys.py').read()
