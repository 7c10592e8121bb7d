from itertools import count, islice

import toolz
from toolz import curried, join

PEOPLE = [("Alice", 1), ("Bob", 2), ("Eve", 1), ("Zoe", 4), ("Yan", 5), ("Max", 4)]
CITIES = [(1, "Oslo"), (3, "Rome"), (2, "Bonn"), (1, "Bergen")]
ALICE, BOB, EVE, ZOE, YAN, MAX = PEOPLE
OSLO, ROME, BONN, BERGEN = CITIES
INNER = [(ALICE, OSLO), (EVE, OSLO), (BOB, BONN), (ALICE, BERGEN), (EVE, BERGEN)]
RIGHT = [*INNER[:2], (None, ROME), *INNER[2:]]


def test_inner_join_order():
    assert list(join(1, PEOPLE, 0, CITIES)) == INNER
    assert list(join(lambda p: p[1], iter(PEOPLE), lambda c: c[0], iter(CITIES))) == INNER
    assert list(join(1, [], 0, CITIES)) == []
    assert list(join(1, PEOPLE, 0, [])) == []


def test_lists_of_indices():
    left = [(1, "a", "x"), (1, "b", "y")]
    right = [("b", 1), ("c", 1), ("a", 1)]
    assert list(join([0, 1], left, [1, 0], right)) == [(left[1], right[0]), (left[0], right[2])]
    assert list(join([0], left, [1], right[:1])) == [(left[0], right[0]), (left[1], right[0])]


def test_left_default():
    assert list(join(1, PEOPLE, 0, CITIES, left_default=None)) == RIGHT
    assert list(join(1, PEOPLE, 0, CITIES, left_default=("?", 0)))[2] == (("?", 0), ROME)


def test_right_default_comes_last_key_after_key():
    rest = [(ZOE, None), (MAX, None), (YAN, None)]
    assert list(join(1, PEOPLE, 0, CITIES, right_default=None)) == INNER + rest
    assert list(join(1, PEOPLE, 0, CITIES, left_default=None, right_default=None)) == RIGHT + rest
    assert list(join(1, [ZOE], 0, [], right_default="-")) == [(ZOE, "-")]


def test_no_default_is_like_none_given():
    given = toolz.utils.no_default
    assert list(join(1, PEOPLE, 0, CITIES, left_default=given, right_default=given)) == INNER


def test_right_sequence_is_streamed():
    read = []

    def numbers():
        for n in count():
            read.append(n)
            yield n

    pairs = join(lambda n: n, [3, 5, 3], lambda n: n % 7, numbers())
    assert read == []
    assert list(islice(pairs, 3)) == [(3, 3), (3, 3), (5, 5)]
    assert max(read) <= 6


def test_items_need_not_be_hashable():
    left, right = [[1, "a"], [2, "b"]], [{"id": 2}, {"id": 9}]
    assert list(join(0, left, "id", right)) == [([2, "b"], {"id": 2})]
    assert list(join(0, left, "id", right, {}, {}))[1:] == [({}, {"id": 9}), ([1, "a"], {})]


def test_curried():
    by_city = curried.join(1, PEOPLE, 0)
    assert list(by_city(CITIES)) == INNER
    assert list(by_city(CITIES, left_default=None)) == RIGHT
