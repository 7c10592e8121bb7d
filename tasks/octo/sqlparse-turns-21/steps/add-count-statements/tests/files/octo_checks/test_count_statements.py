from sqlparse.utils import count_statements


def test_1():
    assert count_statements("select 1; select 2;") == 2


def test_2():
    assert count_statements("") == 0


def test_3():
    assert count_statements("select 1") == 1


def test_tests():
    assert 'count_statements' in open('tests/test_count_statements.py').read()
