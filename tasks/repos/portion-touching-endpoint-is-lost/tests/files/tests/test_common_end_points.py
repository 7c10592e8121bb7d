"""Operations on intervals that meet in an end point, checked point by point."""

import itertools
import random

import portion as P

BOUNDS = range(5)
# Every half between the bounds and beyond them tells intervals over these bounds apart.
POINTS = [number / 2 for number in range(-2, 12)]


def points(interval):
    return {
        point
        for piece in interval
        for point in POINTS
        if (piece.lower < point or (piece.lower == point and piece.left == P.CLOSED))
        and (point < piece.upper or (piece.upper == point and piece.right == P.CLOSED))
    }


def atoms():
    for lower, upper in itertools.combinations_with_replacement(BOUNDS, 2):
        for build in (P.closed, P.open, P.closedopen, P.openclosed):
            if not build(lower, upper).empty:
                yield build(lower, upper)
    yield from (P.openclosed(-P.inf, 1), P.closedopen(3, P.inf), P.open(-P.inf, 2), P.open(2, P.inf))


def pairs(count):
    """Pairs of intervals, most of them with several pieces."""
    choose = random.Random(5)
    every = list(atoms())
    for _ in range(count):
        yield tuple(P.Interval(*choose.sample(every, choose.choice((1, 2, 2, 3)))) for _ in range(2))


def test_intersection():
    for first, second in pairs(120):
        assert points(first & second) == points(first) & points(second), (first, second)


def test_difference():
    for first, second in pairs(120):
        assert points(first - second) == points(first) - points(second), (first, second)


def test_overlaps():
    for first, second in pairs(120):
        assert first.overlaps(second) == bool(points(first) & points(second)), (first, second)


def test_contains():
    for first, second in pairs(120):
        assert (second in first) == (points(second) <= points(first)), (first, second)
    for first, _ in pairs(100):
        assert {point for point in POINTS if P.singleton(point) in first} == points(first)


def content(d):
    return {point: d[point] for point in POINTS if point in d}


def dicts(count):
    """Interval dicts with their content by point, and an interval to look up."""
    for number, (first, second) in enumerate(pairs(count)):
        d = P.IntervalDict()
        d[first] = "a"
        d[second - first] = "b" if number % 2 else "a"
        d[P.singleton(2)] = "c"
        expected = {point: "a" for point in points(first)}
        expected |= {point: "b" if number % 2 else "a" for point in points(second) - points(first)}
        expected[2.0] = "c"
        yield d, expected, first & second if number % 3 else P.closed(-1, number % 5)


def test_dict_lookup_by_interval():
    for d, expected, key in dicts(50):
        found = d[key]
        assert content(found) == {point: value for point, value in expected.items() if point in points(key)}, (d, key)
        assert content(d.get(key, "z")) == {point: expected.get(point, "z") for point in points(key)}


def test_dict_delete_and_pop():
    for d, expected, key in dicts(50):
        rest = {point: value for point, value in expected.items() if point not in points(key)}
        popped = d.copy()
        assert content(popped.pop(key)) == {p: v for p, v in expected.items() if p in points(key)}
        assert content(popped) == rest
        del d[key]
        assert content(d) == rest, key


def test_dict_combine():
    d1 = P.IntervalDict({P.closed(0, 2): 1, P.openclosed(2, 4): 2})
    d2 = P.IntervalDict({P.closed(-2, 0): 10, P.closed(4, 6): 20})
    combined = d1.combine(d2, lambda a, b: a + b)
    assert (combined[0], combined[4], combined[1], combined[-1], combined[5]) == (11, 22, 1, 10, 20)
