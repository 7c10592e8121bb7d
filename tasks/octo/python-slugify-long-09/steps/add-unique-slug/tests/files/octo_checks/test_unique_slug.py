from slugify.slugify import unique_slug


def test_1():
    assert unique_slug("a", []) == "a"


def test_2():
    assert unique_slug("a", ["a"]) == "a-2"


def test_3():
    assert unique_slug("a", ["a", "a-2"]) == "a-3"


def test_tests():
    assert 'unique_slug' in open('tests/test_unique_slug.py').read()
