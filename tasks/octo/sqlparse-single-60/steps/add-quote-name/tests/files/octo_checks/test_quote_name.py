from sqlparse.utils import quote_name


def test_1():
    assert quote_name("a") == '"a"'


def test_2():
    assert quote_name('a"b') == '"a""b"'


def test_3():
    assert quote_name("a", "`") == "`a`"


def test_tests():
    assert 'quote_name' in open('tests/test_quote_name.py').read()
