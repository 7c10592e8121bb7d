from blinker._utilities import signal_path


def test_1():
    assert signal_path("a.b.c") == ["a", "a.b", "a.b.c"]


def test_2():
    assert signal_path("a") == ["a"]


def test_3():
    assert signal_path("x.y") == ["x", "x.y"]


def test_tests():
    assert 'signal_path' in open('tests/test_signal_path.py').read()
