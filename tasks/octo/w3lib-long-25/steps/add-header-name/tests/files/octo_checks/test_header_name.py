from w3lib.http import header_name


def test_1():
    assert header_name("content-type") == "Content-Type"


def test_2():
    assert header_name("HOST") == "Host"


def test_3():
    assert header_name("") == ""


def test_tests():
    assert 'header_name' in open('tests/test_header_name.py').read()
