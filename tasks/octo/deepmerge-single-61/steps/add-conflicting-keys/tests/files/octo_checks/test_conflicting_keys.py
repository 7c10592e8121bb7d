from deepmerge.extended_set import conflicting_keys


def test_1():
    assert conflicting_keys({"a": 1, "b": 2}, {"a": 2, "b": 2}) == ["a"]


def test_2():
    assert conflicting_keys({}, {"a": 1}) == []


def test_3():
    assert conflicting_keys({"a": 1}, {"a": 1}) == []


def test_tests():
    assert 'conflicting_keys' in open('deepmerge/tests/test_conflicting_keys.py').read()
