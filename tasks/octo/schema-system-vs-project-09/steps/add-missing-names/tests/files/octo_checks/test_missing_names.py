from schema import missing_names


def test_1():
    assert missing_names(["a", "b"], {"a": 1}) == ["b"]


def test_2():
    assert missing_names([], {}) == []


def test_3():
    assert missing_names(["a"], {"a": None}) == []


def test_tests():
    assert 'missing_names' in open('test_missing_names.py').read()
