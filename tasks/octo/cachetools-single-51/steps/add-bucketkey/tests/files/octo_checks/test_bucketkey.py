from cachetools.keys import bucketkey


def test_1():
    assert bucketkey(17) == 10


def test_2():
    assert bucketkey(17, 5) == 15


def test_3():
    assert bucketkey(-1) == -10


def test_tests():
    assert 'bucketkey' in open('tests/test_bucketkey.py').read()
