from idna.intranges import merge_ranges


def test_1():
    assert merge_ranges([(3, 5), (1, 3)]) == [(1, 5)]


def test_2():
    assert merge_ranges([]) == []


def test_3():
    assert merge_ranges([(1, 2), (4, 5)]) == [(1, 2), (4, 5)]


def test_tests():
    assert 'merge_ranges' in open('tests/test_merge_ranges.py').read()
