from semantic_version.base import drop_build


def test_1():
    assert drop_build("1.0.0+5") == "1.0.0"


def test_2():
    assert drop_build("1.0.0") == "1.0.0"


def test_3():
    assert drop_build("1.0.0-a+b") == "1.0.0-a"


def test_tests():
    assert 'drop_build' in open('tests/test_drop_build.py').read()
