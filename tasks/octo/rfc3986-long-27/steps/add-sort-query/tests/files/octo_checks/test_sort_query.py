from rfc3986.normalizers import sort_query


def test_1():
    assert sort_query("b=2&a=1") == "a=1&b=2"


def test_2():
    assert sort_query("") == ""


def test_3():
    assert sort_query("a") == "a"


def test_tests():
    assert 'sort_query' in open('tests/test_sort_query.py').read()
