from tenacity._utils import total_delay


def test_1():
    assert total_delay([1.0, 2.0]) == 3.0


def test_2():
    assert total_delay([]) == 0.0


def test_3():
    assert total_delay([50.0, 20.0]) == 60.0


def test_tests():
    assert 'total_delay' in open('tests/test_total_delay.py').read()
