from croniter.croniter import expand_step


def test_1():
    assert expand_step(15) == [0, 15, 30, 45]


def test_2():
    assert expand_step(6, 23) == [0, 6, 12, 18]


def test_3():
    assert expand_step(100) == [0]


def test_tests():
    assert 'expand_step' in open('src/croniter/tests/test_expand_step.py').read()
