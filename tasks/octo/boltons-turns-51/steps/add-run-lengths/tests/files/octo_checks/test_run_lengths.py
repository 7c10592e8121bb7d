from boltons.iterutils import run_lengths


def test_1():
    assert run_lengths("aab") == [("a", 2), ("b", 1)]


def test_2():
    assert run_lengths([]) == []


def test_3():
    assert run_lengths([1, 1, 1, 2, 1]) == [(1, 3), (2, 1), (1, 1)]


def test_tests():
    assert 'run_lengths' in open('tests/test_run_lengths.py').read()
