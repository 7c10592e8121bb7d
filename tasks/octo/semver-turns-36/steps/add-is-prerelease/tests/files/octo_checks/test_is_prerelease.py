from semver.cli import is_prerelease


def test_1():
    assert is_prerelease("1.0.0-rc.1") is True


def test_2():
    assert is_prerelease("1.0.0") is False


def test_3():
    assert is_prerelease("1.0.0+a-b") is False


def test_tests():
    assert 'is_prerelease' in open('tests/test_is_prerelease.py').read()
