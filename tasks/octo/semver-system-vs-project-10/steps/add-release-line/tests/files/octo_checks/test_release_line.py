from semver.cli import release_line


def test_1():
    assert release_line("1.2.3") == "1.2.x"


def test_2():
    assert release_line("10.0.1") == "10.0.x"


def test_3():
    assert release_line("0.1.0-rc.1") == "0.1.x"


def test_tests():
    assert 'release_line' in open('tests/test_release_line.py').read()
