from inflection import swap_separator


def test_1():
    assert swap_separator("a_b") == "a-b"


def test_2():
    assert swap_separator("a.b", ".", "/") == "a/b"


def test_3():
    assert swap_separator("") == ""


def test_tests():
    assert 'swap_separator' in open('test_swap_separator.py').read()
