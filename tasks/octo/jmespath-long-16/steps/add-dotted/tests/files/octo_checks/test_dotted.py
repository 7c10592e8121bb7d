from jmespath.visitor import dotted


def test_1():
    assert dotted(["a", "b"]) == "a.b"


def test_2():
    assert dotted([]) == ""


def test_3():
    assert dotted(["x", 1]) == "x.1"


def test_tests():
    assert 'dotted' in open('tests/test_dotted.py').read()
