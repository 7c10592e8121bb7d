from tinydb.utils import project_fields


def test_1():
    assert project_fields({"a": 1, "b": 2}, ["a"]) == {"a": 1}


def test_2():
    assert project_fields({}, ["a"]) == {}


def test_3():
    assert project_fields({"a": 1}, []) == {}


def test_tests():
    assert 'project_fields' in open('tests/test_project_fields.py').read()
