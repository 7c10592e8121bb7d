from semantic_version.base import same_minor


def test_1():
    assert same_minor("1.2.3", "1.2.9") is True


def test_2():
    assert same_minor("1.2.3", "1.3.3") is False


def test_3():
    assert same_minor("2.2.0", "1.2.0") is False


def test_tests():
    assert 'same_minor' in open('tests/test_same_minor.py').read()
