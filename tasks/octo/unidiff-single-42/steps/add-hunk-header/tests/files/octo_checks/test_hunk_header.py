from unidiff.patch import hunk_header


def test_1():
    assert hunk_header(3) == "3"


def test_2():
    assert hunk_header(3, 2) == "3,2"


def test_3():
    assert hunk_header(0, 0) == "0,0"


def test_tests():
    assert 'hunk_header' in open('tests/test_hunk_header.py').read()
