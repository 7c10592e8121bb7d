"""Joining intervals that lie close to each other."""

import pytest

from intervaltree import Interval, IntervalTree


def merged(tuples, **options):
    tree = IntervalTree.from_tuples(tuples)
    assert tree.merge_neighbors(**options) is None
    tree.verify()
    return sorted(tree)


def join(old, new):
    return f"{old}+{new}"


def test_gaps_up_to_the_distance():
    tuples = [(0, 2, "a"), (2, 3, "b"), (4, 5, "c"), (7, 8, "d")]
    assert merged(tuples, data_reducer=join) == [Interval(0, 5, "a+b+c"), Interval(7, 8, "d")]
    assert merged(tuples, data_reducer=join, distance=0) == [
        Interval(0, 3, "a+b"),
        Interval(4, 5, "c"),
        Interval(7, 8, "d"),
    ]
    assert merged(tuples, data_reducer=join, distance=2) == [Interval(0, 8, "a+b+c+d")]
    assert merged([(0, 1.0, 1), (1.5, 2, 2), (2.75, 3, 4)], data_reducer=lambda a, b: a + b, distance=0.5) == [
        Interval(0, 2, 3),
        Interval(2.75, 3, 4),
    ]


def test_overlaps_are_kept_apart():
    tuples = [(0, 3, "a"), (4, 6, "b"), (5, 9, "c"), (9, 12, "d"), (10, 11, "e"), (11, 13, "f")]
    assert merged(tuples, data_reducer=join) == [
        Interval(0, 6, "a+b"),
        Interval(5, 12, "c+d"),
        Interval(10, 13, "e+f"),
    ]


def test_overlaps_are_joined():
    tuples = [(0, 10, "a"), (2, 4, "b"), (5, 6, "c"), (11, 12, "d"), (14, 15, "e")]
    assert merged(tuples, data_reducer=join, strict=False) == [Interval(0, 12, "a+b+c+d"), Interval(14, 15, "e")]
    assert merged(tuples, data_reducer=join, strict=False, distance=-9) == [
        Interval(0, 10, "a"),
        Interval(2, 4, "b"),
        Interval(5, 6, "c"),
        Interval(11, 12, "d"),
        Interval(14, 15, "e"),
    ]


def test_no_reducer():
    assert merged([(0, 1, "a"), (1, 2, "b"), (2, 3, "c"), (9, 10, "d"), (20, 21, None)]) == [
        Interval(0, 3),
        Interval(9, 10, "d"),
        Interval(20, 21),
    ]


def test_initializer():
    def collect(old, new):
        old.append(new)
        return old

    start = ["start"]
    tuples = [(0, 1, "a"), (2, 3, "b"), (9, 10, "c"), (9, 11, "d"), (12, 13, "e")]
    assert merged(tuples, data_reducer=collect, data_initializer=start) == [
        Interval(0, 3, ["start", "a", "b"]),
        Interval(9, 10, ["start", "c"]),
        Interval(9, 13, ["start", "d", "e"]),
    ]
    assert start == ["start"]
    assert merged([(0, 1, 5), (3, 4, 6)], data_reducer=lambda a, b: a + b, data_initializer=0) == [
        Interval(0, 1, 5),
        Interval(3, 4, 6),
    ]


def test_empty_and_single():
    assert merged([]) == []
    assert merged([], data_reducer=join, data_initializer="") == []
    assert merged([(1, 2, "a")]) == [Interval(1, 2, "a")]


@pytest.mark.parametrize("strict", [True, False])
def test_tree_stays_usable(strict):
    tree = IntervalTree(Interval(n * 10, n * 10 + 5, n) for n in range(50))
    tree.merge_neighbors(data_reducer=max, distance=5, strict=strict)
    assert sorted(tree) == [Interval(0, 495, 49)]
    assert tree[300] == {Interval(0, 495, 49)}
    assert not tree.overlaps(495, 600)
    assert (tree.begin(), tree.end(), len(tree)) == (0, 495, 1)
    tree.addi(490, 500, "x")
    tree.verify()
    assert len(tree[492]) == 2
