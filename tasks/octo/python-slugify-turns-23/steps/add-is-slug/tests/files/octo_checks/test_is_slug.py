from slugify.slugify import is_slug


def test_1():
    assert is_slug("a-b1") is True


def test_2():
    assert is_slug("A b") is False


def test_3():
    assert is_slug("") is False


def test_tests():
    assert 'is_slug' in open('tests/test_is_slug.py').read()
