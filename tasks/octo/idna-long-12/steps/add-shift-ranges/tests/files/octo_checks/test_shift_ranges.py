from idna.intranges import shift_ranges


def test_1():
    assert shift_ranges([(1, 3)], 2) == [(3, 5)]


def test_2():
    assert shift_ranges([], 2) == []


def test_3():
    assert shift_ranges([(5, 6)], -5) == [(0, 1)]


def test_tests():
    assert 'shift_ranges' in open('tests/test_shift_ranges.py').read()
