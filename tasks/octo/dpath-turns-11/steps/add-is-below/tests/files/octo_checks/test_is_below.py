from dpath.segments import is_below


def test_1():
    assert is_below("a/b", "a") is True


def test_2():
    assert is_below("ab", "a") is False


def test_3():
    assert is_below("a", "a") is False


def test_tests():
    assert 'is_below' in open('tests/test_is_below.py').read()
