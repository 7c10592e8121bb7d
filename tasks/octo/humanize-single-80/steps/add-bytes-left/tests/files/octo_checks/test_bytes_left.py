from humanize.filesize import bytes_left


def test_1():
    assert bytes_left(30, 100) == 70


def test_2():
    assert bytes_left(130, 100) == 0


def test_3():
    assert bytes_left(0, 0) == 0


def test_tests():
    assert 'bytes_left' in open('tests/test_bytes_left.py').read()
