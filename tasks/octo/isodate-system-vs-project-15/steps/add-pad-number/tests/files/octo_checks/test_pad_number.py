from isodate.isoduration import pad_number


def test_1():
    assert pad_number(7) == "07"


def test_2():
    assert pad_number(123) == "123"


def test_3():
    assert pad_number(5, 4) == "0005"


def test_tests():
    assert 'pad_number' in open('tests/test_pad_number.py').read()
