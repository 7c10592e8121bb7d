from marshmallow.utils import as_list


def test_1():
    assert as_list(1) == [1]


def test_2():
    assert as_list((1, 2)) == [1, 2]


def test_3():
    assert as_list("ab") == ["ab"]


def test_tests():
    assert 'as_list' in open('tests/test_as_list.py').read()
