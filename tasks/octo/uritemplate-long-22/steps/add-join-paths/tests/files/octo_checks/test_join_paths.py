from uritemplate.api import join_paths


def test_1():
    assert join_paths("/a/", "/b") == "/a/b"


def test_2():
    assert join_paths("/a", "b") == "/a/b"


def test_3():
    assert join_paths("", "b") == "/b"


def test_tests():
    assert 'join_paths' in open('tests/test_join_paths.py').read()
