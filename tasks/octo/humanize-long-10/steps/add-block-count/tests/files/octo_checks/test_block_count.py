from humanize.filesize import block_count


def test_1():
    assert block_count(513) == 2


def test_2():
    assert block_count(0) == 0


def test_3():
    assert block_count(10, 5) == 2


def test_tests():
    assert 'block_count' in open('tests/test_block_count.py').read()
