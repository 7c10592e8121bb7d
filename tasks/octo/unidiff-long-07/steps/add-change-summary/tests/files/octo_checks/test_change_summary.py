from unidiff.patch import change_summary


def test_1():
    assert change_summary(1, 2) == "+1 -2"


def test_2():
    assert change_summary(0, 0) == "+0 -0"


def test_3():
    assert change_summary(10, 0) == "+10 -0"


def test_tests():
    assert 'change_summary' in open('tests/test_change_summary.py').read()
