from anytree.search import path_names


def test_1():
    assert path_names(["root", "sub"]) == "/root/sub"


def test_2():
    assert path_names([]) == "/"


def test_3():
    assert path_names(["a", 1], ".") == ".a.1"


def test_tests():
    assert 'path_names' in open('tests/test_path_names.py').read()
