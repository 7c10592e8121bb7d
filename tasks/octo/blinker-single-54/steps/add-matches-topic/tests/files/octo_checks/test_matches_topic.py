from blinker._utilities import matches_topic


def test_1():
    assert matches_topic("a.*", "a.b") is True


def test_2():
    assert matches_topic("a.*", "a.b.c") is False


def test_3():
    assert matches_topic("*.b", "a.c") is False


def test_tests():
    assert 'matches_topic' in open('tests/test_matches_topic.py').read()
