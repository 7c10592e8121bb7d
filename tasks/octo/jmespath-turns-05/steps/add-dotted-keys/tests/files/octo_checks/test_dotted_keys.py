from jmespath.visitor import dotted_keys


def test_1():
    assert dotted_keys(["a", "b"]) == "a.b"


def test_2():
    assert dotted_keys([]) == ""


def test_3():
    assert dotted_keys(["x", 1]) == "x.1"


def test_tests():
    assert 'dotted_keys' in open('tests/test_dotted_keys.py').read()
