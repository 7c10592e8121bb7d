from semver.cli import strip_prefix


def test_1():
    assert strip_prefix("v1.0.0") == "1.0.0"


def test_2():
    assert strip_prefix("1.0.0") == "1.0.0"


def test_3():
    assert strip_prefix("rel-1", "rel-") == "1"


def test_tests():
    assert 'strip_prefix' in open('tests/test_strip_prefix.py').read()
