from tinydb.utils import project


def test_1():
    assert project({"a": 1, "b": 2}, ["a"]) == {"a": 1}


def test_2():
    assert project({}, ["a"]) == {}


def test_3():
    assert project({"a": 1}, []) == {}


def test_tests():
    assert 'project' in open('tests/test_project.py').read()
