from deepmerge.extended_set import missing_keys


def test_1():
    assert missing_keys({"a": 1}, {"a": 2, "b": 3}) == ["b"]


def test_2():
    assert missing_keys({}, {}) == []


def test_3():
    assert missing_keys({"a": 1}, {}) == []


def test_tests():
    assert 'missing_keys' in open('deepmerge/tests/test_missing_keys.py').read()
