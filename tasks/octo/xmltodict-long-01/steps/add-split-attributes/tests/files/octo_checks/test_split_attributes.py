from xmltodict import split_attributes


def test_1():
    assert split_attributes({"@a": 1, "b": 2}) == ({"@a": 1}, {"b": 2})


def test_2():
    assert split_attributes({}) == ({}, {})


def test_3():
    assert split_attributes({"_a": 1}, "_") == ({"_a": 1}, {})


def test_tests():
    assert 'split_attributes' in open('tests/test_split_attributes.py').read()
