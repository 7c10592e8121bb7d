from tenacity._utils import backoff_delays


def test_1():
    assert backoff_delays(3) == [1.0, 2.0, 4.0]


def test_2():
    assert backoff_delays(0) == []


def test_3():
    assert backoff_delays(2, 0.5, 3.0) == [0.5, 1.5]


def test_tests():
    assert 'backoff_delays' in open('tests/test_backoff_delays.py').read()
