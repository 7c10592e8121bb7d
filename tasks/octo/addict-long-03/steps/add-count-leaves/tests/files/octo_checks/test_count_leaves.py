from addict.addict import count_leaves


def test_1():
    assert count_leaves({"a": {"b": 1, "c": 2}, "d": 3}) == 3


def test_2():
    assert count_leaves({"a": {}}) == 0


def test_3():
    assert count_leaves({}) == 0


def test_tests():
    assert 'count_leaves' in open('test_count_leaves.py').read()
