from addict.addict import depth_of


def test_1():
    assert depth_of({}) == 1


def test_2():
    assert depth_of({"a": 1}) == 1


def test_3():
    assert depth_of({"a": {"b": {"c": 1}}}) == 3


def test_tests():
    assert 'depth_of' in open('test_depth_of.py').read()
