from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.engine.pages import PagePool, PageTable


def test_a_request_lies_in_one_piece_and_its_room_is_left_alone() -> None:
    pool = PagePool(12)
    first, room = pool.take(2, room=3)
    assert (first, room) == ([0, 1], range(2, 5))
    second, _ = pool.take(2, room=2)
    assert second == [5, 6]
    grown, _ = pool.take(1, 0, after=1)
    assert grown == [2]


def test_room_is_taken_when_nothing_else_is_left() -> None:
    pool = PagePool(6)
    pool.take(2, room=4)
    pages, room = pool.take(4, room=2)
    assert (pages, room) == ([2, 3, 4, 5], range(0))
    assert pool.n_free == 0
    with pytest.raises(ValueError, match="1 pages wanted, 0 free"):
        pool.take(1, 0)


def test_room_that_is_too_large_is_cut_down() -> None:
    pool = PagePool(8)
    assert pool.take(2, room=50) == ([0, 1], range(2, 8))


def test_pages_come_back() -> None:
    pool = PagePool(4)
    pages, room = pool.take(2, room=2)
    pool.forget_room(room)
    for page in pages:
        with pytest.raises(AssertionError, match="still counted"):
            pool.free(page)
        pool.counts[page] = 0
        pool.free(page)
    assert pool.take(4, 0)[0] == [0, 1, 2, 3]


@given(
    st.integers(1, 5),
    st.lists(st.integers(0, 40), unique=True, min_size=1, max_size=12),
    st.data(),
)
def test_slots_are_the_pages_slots_in_as_few_runs_as_there_are(
    size: int, pages: list[int], data: st.DataObject
) -> None:
    table = PageTable(size)
    table.extend(pages)
    every = [page * size + offset for page in pages for offset in range(size)]
    start = data.draw(st.integers(0, len(every)))
    stop = data.draw(st.integers(start, len(every)))
    runs = table.slots(start, stop)
    found = [slot for first, n in runs for slot in range(first, first + n)]
    assert found == every[start:stop]
    breaks = sum(b != a + 1 for a, b in pairwise(found))
    assert len(runs) == (breaks + 1 if found else 0)
