from anytree.search import limit_results


def test_1():
    assert limit_results([1, 2, 3], 2) == ((1, 2), 1)


def test_2():
    assert limit_results([]) == ((), 0)


def test_3():
    assert limit_results([1], 1) == ((1,), 0)


def test_tests():
    assert 'limit_results' in open('tests/test_limit_results.py').read()
