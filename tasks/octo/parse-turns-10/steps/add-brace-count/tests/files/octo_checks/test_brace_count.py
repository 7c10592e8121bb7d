from parse import brace_count


def test_1():
    assert brace_count("{a} {b}") == 2


def test_2():
    assert brace_count("{{a}}") == 0


def test_3():
    assert brace_count("") == 0


def test_tests():
    assert 'brace_count' in open('tests/test_brace_count.py').read()
