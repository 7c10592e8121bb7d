from xmltodict import self_closing


def test_1():
    assert self_closing("a") == "<a/>"


def test_2():
    assert self_closing("a", False) == "<a></a>"


def test_3():
    assert self_closing("br", True) == "<br/>"


def test_tests():
    assert 'self_closing' in open('tests/test_self_closing.py').read()
