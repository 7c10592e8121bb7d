from jmespath.visitor import quote_key


def test_1():
    assert quote_key("name") == "name"


def test_2():
    assert quote_key("a b") == '"a b"'


def test_3():
    assert quote_key('a"') == '"a\\""'


def test_tests():
    assert 'quote_key' in open('tests/test_quote_key.py').read()
