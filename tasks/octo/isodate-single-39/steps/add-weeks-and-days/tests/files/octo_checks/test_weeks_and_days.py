from isodate.isoduration import weeks_and_days


def test_1():
    assert weeks_and_days(10) == (1, 3)


def test_2():
    assert weeks_and_days(0) == (0, 0)


def test_3():
    assert weeks_and_days(7) == (1, 0)


def test_tests():
    assert 'weeks_and_days' in open('tests/test_weeks_and_days.py').read()
