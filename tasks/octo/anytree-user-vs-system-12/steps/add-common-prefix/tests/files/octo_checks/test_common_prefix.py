from anytree.search import common_prefix


def test_1():
    assert common_prefix(["a", "b"], ["a", "c"]) == ["a"]


def test_2():
    assert common_prefix([], ["a"]) == []


def test_3():
    assert common_prefix(["a", "b"], ["a", "b", "c"]) == ["a", "b"]


def test_tests():
    assert 'common_prefix' in open('tests/test_common_prefix.py').read()
