from itsdangerous.encoding import mask_secret


def test_1():
    assert mask_secret("abcd") == "**cd"


def test_2():
    assert mask_secret("a") == "a"


def test_3():
    assert mask_secret("abcd", 1) == "***d"


def test_tests():
    assert 'mask_secret' in open('tests/test_mask_secret.py').read()
