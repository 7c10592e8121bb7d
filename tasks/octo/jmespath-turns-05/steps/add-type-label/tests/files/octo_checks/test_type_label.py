from jmespath.visitor import type_label


def test_1():
    assert type_label(None) == "null"


def test_2():
    assert type_label(True) == "boolean"


def test_3():
    assert type_label(1.5) == "number"


def test_tests():
    assert 'type_label' in open('tests/test_type_label.py').read()
