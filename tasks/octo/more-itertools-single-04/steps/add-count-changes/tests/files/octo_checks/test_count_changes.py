from more_itertools.recipes import count_changes


def test_1():
    assert count_changes([1, 1, 2, 1]) == 2


def test_2():
    assert count_changes([]) == 0


def test_3():
    assert count_changes("aaab") == 1


def test_tests():
    assert 'count_changes' in open('tests/test_count_changes.py').read()
