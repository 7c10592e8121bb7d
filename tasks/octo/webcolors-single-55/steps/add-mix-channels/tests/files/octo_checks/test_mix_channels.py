from webcolors._normalization import mix_channels


def test_1():
    assert mix_channels(0, 255) == 127


def test_2():
    assert mix_channels(10, 20) == 15


def test_3():
    assert mix_channels(7, 7) == 7


def test_tests():
    assert 'mix_channels' in open('tests/test_mix_channels.py').read()
