from isodate.isoduration import split_seconds


def test_1():
    assert split_seconds(3661) == (1, 1, 1)


def test_2():
    assert split_seconds(0) == (0, 0, 0)


def test_3():
    assert split_seconds(59) == (0, 0, 59)


def test_tests():
    assert 'split_seconds' in open('tests/test_split_seconds.py').read()
