from tinydb.utils import next_id


def test_1():
    assert next_id([1, 3]) == 4


def test_2():
    assert next_id([]) == 1


def test_3():
    assert next_id([7]) == 8


def test_tests():
    assert 'next_id' in open('tests/test_next_id.py').read()
