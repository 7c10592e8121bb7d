from humanize.filesize import usage_percent


def test_1():
    assert usage_percent(25, 100) == 25


def test_2():
    assert usage_percent(1, 3) == 33


def test_3():
    assert usage_percent(0, 0) == 100


def test_tests():
    assert 'usage_percent' in open('tests/test_usage_percent.py').read()
