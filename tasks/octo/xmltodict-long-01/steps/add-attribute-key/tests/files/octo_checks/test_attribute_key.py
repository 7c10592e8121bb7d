from xmltodict import attribute_key


def test_1():
    assert attribute_key("id") == "@id"


def test_2():
    assert attribute_key("@id") == "@id"


def test_3():
    assert attribute_key("id", "_") == "_id"


def test_tests():
    assert 'attribute_key' in open('tests/test_attribute_key.py').read()
