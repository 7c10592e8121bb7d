from tenacity._utils import attempt_label


def test_1():
    assert attempt_label(1) == "attempt 1"


def test_2():
    assert attempt_label(2, 5) == "attempt 2 of 5"


def test_3():
    assert attempt_label(3, 0) == "attempt 3"


def test_tests():
    assert 'attempt_label' in open('tests/test_attempt_label.py').read()
