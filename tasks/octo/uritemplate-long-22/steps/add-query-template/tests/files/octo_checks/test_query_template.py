from uritemplate.api import query_template


def test_1():
    assert query_template(["a", "b"]) == "{?a,b}"


def test_2():
    assert query_template([]) == ""


def test_3():
    assert query_template(["q"]) == "{?q}"


def test_tests():
    assert 'query_template' in open('tests/test_query_template.py').read()
