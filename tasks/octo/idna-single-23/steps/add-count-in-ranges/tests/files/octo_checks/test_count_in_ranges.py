from idna.intranges import count_in_ranges


def test_1():
    assert count_in_ranges([(1, 3), (5, 6)]) == 3


def test_2():
    assert count_in_ranges([]) == 0


def test_3():
    assert count_in_ranges([(4, 4)]) == 0


def test_tests():
    assert 'count_in_ranges' in open('tests/test_count_in_ranges.py').read()
