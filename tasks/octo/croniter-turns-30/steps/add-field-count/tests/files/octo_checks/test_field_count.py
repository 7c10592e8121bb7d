from croniter.croniter import field_count


def test_1():
    assert field_count("* * * * *") == 5


def test_2():
    assert field_count("") == 0


def test_3():
    assert field_count("0 0 1 1 * 30") == 6


def test_tests():
    assert 'field_count' in open('src/croniter/tests/test_field_count.py').read()
