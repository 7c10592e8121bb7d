from dpath.segments import join_path


def test_1():
    assert join_path(["a", 0, "b"]) == "a/0/b"


def test_2():
    assert join_path([]) == ""


def test_3():
    assert join_path(["a", "b"], ".") == "a.b"


def test_tests():
    assert 'join_path' in open('tests/test_join_path.py').read()
