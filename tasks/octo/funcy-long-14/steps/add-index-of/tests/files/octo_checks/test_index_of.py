from funcy.seqs import index_of


def test_1():
    assert index_of([1, 2], 2) == 1


def test_2():
    assert index_of([], 2) == -1


def test_3():
    assert index_of([1], 2, 7) == 7


def test_tests():
    assert 'index_of' in open('tests/test_index_of.py').read()
