from schema import join_errors


def test_1():
    assert join_errors(["a", "", "a", "b"]) == "a\nb"


def test_2():
    assert join_errors([]) == ""


def test_3():
    assert join_errors(["a", "b"], "; ") == "a; b"


def test_tests():
    assert 'join_errors' in open('test_join_errors.py').read()
