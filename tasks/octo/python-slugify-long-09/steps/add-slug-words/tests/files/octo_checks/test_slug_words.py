from slugify.slugify import slug_words


def test_1():
    assert slug_words("a-b") == ["a", "b"]


def test_2():
    assert slug_words("") == []


def test_3():
    assert slug_words("a__b", "_") == ["a", "b"]


def test_tests():
    assert 'slug_words' in open('tests/test_slug_words.py').read()
