from parse import to_fraction


def test_1():
    assert to_fraction("25%") == 0.25


def test_2():
    assert to_fraction(" 50 ") == 0.5


def test_3():
    assert to_fraction("0%") == 0.0


def test_tests():
    assert 'to_fraction' in open('tests/test_to_fraction.py').read()
