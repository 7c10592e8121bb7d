from itsdangerous.encoding import missing_padding


def test_1():
    assert missing_padding("abc") == 1


def test_2():
    assert missing_padding("") == 0


def test_3():
    assert missing_padding("ab", 3) == 1


def test_tests():
    assert 'missing_padding' in open('tests/test_missing_padding.py').read()
