from voluptuous.util import clamp_value


def test_1():
    assert clamp_value(5, 1, 3) == 3


def test_2():
    assert clamp_value(0, 1, 3) == 1


def test_3():
    assert clamp_value(2, 1, 3) == 2


def test_tests():
    assert 'clamp_value' in open('voluptuous/tests/test_clamp_value.py').read()
