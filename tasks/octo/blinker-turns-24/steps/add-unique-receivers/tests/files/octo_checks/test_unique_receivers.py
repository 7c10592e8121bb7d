from blinker._utilities import unique_receivers


def test_1():
    assert unique_receivers([1, 2, 1]) == [1, 2]


def test_2():
    assert unique_receivers([]) == []


def test_3():
    assert unique_receivers(["b", "a", "b"]) == ["b", "a"]


def test_tests():
    assert 'unique_receivers' in open('tests/test_unique_receivers.py').read()
