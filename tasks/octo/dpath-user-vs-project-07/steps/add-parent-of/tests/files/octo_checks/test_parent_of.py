from dpath.segments import parent_of


def test_1():
    assert parent_of("a/b/c") == "a/b"


def test_2():
    assert parent_of("a") == ""


def test_3():
    assert parent_of("a.b", ".") == "a"


def test_tests():
    assert 'parent_of' in open('tests/test_parent_of.py').read()
