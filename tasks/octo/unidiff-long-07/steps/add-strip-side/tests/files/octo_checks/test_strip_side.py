from unidiff.patch import strip_side


def test_1():
    assert strip_side("a/x.py") == "x.py"


def test_2():
    assert strip_side("x.py") == "x.py"


def test_3():
    assert strip_side("b/b/c") == "b/c"


def test_tests():
    assert 'strip_side' in open('tests/test_strip_side.py').read()
