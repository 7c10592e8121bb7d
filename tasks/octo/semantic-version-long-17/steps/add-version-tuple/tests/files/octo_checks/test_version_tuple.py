from semantic_version.base import version_tuple


def test_1():
    assert version_tuple("1.2.3") == (1, 2, 3)


def test_2():
    assert version_tuple("0.10.0") == (0, 10, 0)


def test_3():
    assert version_tuple("4") == (4,)


def test_tests():
    assert 'version_tuple' in open('tests/test_version_tuple.py').read()
