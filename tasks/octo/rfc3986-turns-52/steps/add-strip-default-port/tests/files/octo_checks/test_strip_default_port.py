from rfc3986.normalizers import strip_default_port


def test_1():
    assert strip_default_port("a.org:80") == "a.org"


def test_2():
    assert strip_default_port("a.org:443", "https") == "a.org"


def test_3():
    assert strip_default_port("a.org:8080") == "a.org:8080"


def test_tests():
    assert 'strip_default_port' in open('tests/test_strip_default_port.py').read()
