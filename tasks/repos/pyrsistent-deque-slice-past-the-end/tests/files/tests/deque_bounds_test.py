"""Slices and rotations of a PDeque beyond its ends."""

import collections
import itertools

import pytest

from pyrsistent import pdeque

BOUNDS = [None, *range(-8, 9)]


def uneven(elements):
    """A deque of the elements whose inner halves differ in length."""
    result = pdeque()
    for element in reversed(elements):
        result = result.appendleft(element)
    return result.append("x").append("y").pop(2)


@pytest.mark.parametrize("build", [pdeque, uneven])
def test_slices_agree_with_lists(build):
    for size, start, stop in itertools.product(range(1, 6), BOUNDS, BOUNDS):
        elements = list(range(size))
        queue = build(elements)
        part = queue[start:stop]
        assert list(part) == elements[start:stop], (size, start, stop)
        assert len(part) == len(elements[start:stop]), (size, start, stop)
        assert list(queue) == elements


def test_slices_of_an_empty_deque():
    for start, stop in itertools.product(BOUNDS, BOUNDS):
        assert pdeque()[start:stop] == pdeque()


def test_slice_to_the_exact_end():
    assert pdeque([1, 2, 3])[:3] == pdeque([1, 2, 3])
    assert pdeque([1, 2, 3])[1:3] == pdeque([2, 3])
    assert pdeque([1, 2, 3])[3:] == pdeque()


def test_slices_with_a_step():
    elements = [1, 2, 3, 4, 5]
    for start, stop, step in itertools.product((None, -7, 1, 9), (None, -7, 1, 5, 9), (1, 2, -1, -2)):
        assert list(pdeque(elements)[start:stop:step]) == elements[start:stop:step]


def test_slice_keeps_maxlen_and_stays_usable():
    part = pdeque([1, 2, 3, 4], maxlen=4)[1:9]
    assert part.maxlen == 4
    assert part.append(5).append(6) == pdeque([3, 4, 5, 6])
    assert len(part.append(5).append(6)) == 4
    assert pdeque([1, 2])[5:9].append(7) == pdeque([7])


def test_rotation_agrees_with_the_standard_library():
    for size, steps in itertools.product(range(5), range(-12, 13)):
        elements = list(range(size))
        expected = collections.deque(elements)
        expected.rotate(steps)
        rotated = pdeque(elements).rotate(steps)
        assert list(rotated) == list(expected), (size, steps)
        assert len(rotated) == size


def test_rotation_of_a_full_deque():
    rotated = pdeque([1, 2, 3], maxlen=3).rotate(-4)
    assert rotated == pdeque([2, 3, 1])
    assert rotated.maxlen == 3
