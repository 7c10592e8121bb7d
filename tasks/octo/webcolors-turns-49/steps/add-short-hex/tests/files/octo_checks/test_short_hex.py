from webcolors._normalization import short_hex


def test_1():
    assert short_hex("#aabbcc") == "#abc"


def test_2():
    assert short_hex("#abcdef") == "#abcdef"


def test_3():
    assert short_hex("#000000") == "#000"


def test_tests():
    assert 'short_hex' in open('tests/test_short_hex.py').read()
