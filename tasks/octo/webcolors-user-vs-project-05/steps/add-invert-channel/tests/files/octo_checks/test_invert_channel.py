from webcolors._normalization import invert_channel


def test_1():
    assert invert_channel(0) == 255


def test_2():
    assert invert_channel(255) == 0


def test_3():
    assert invert_channel(100) == 155


def test_tests():
    assert 'invert_channel' in open('tests/test_invert_channel.py').read()
