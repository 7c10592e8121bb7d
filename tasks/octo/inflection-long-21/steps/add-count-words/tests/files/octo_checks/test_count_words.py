from inflection import count_words


def test_1():
    assert count_words("a bb ccc") == 3


def test_2():
    assert count_words("a bb ccc", 1) == 2


def test_3():
    assert count_words("") == 0


def test_tests():
    assert 'count_words' in open('test_count_words.py').read()
