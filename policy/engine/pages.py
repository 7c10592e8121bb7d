"""Who holds which page of the cache. Pages are numbers here; the tensors are the Cache's.

Neighbouring pages are neighbours in memory, and attention reads a run of them without a copy. So a request is laid down
in one piece where there is one, with the room behind it that it may grow into set aside; when pages are scarce, room
that was set aside is taken like any other.
"""

from __future__ import annotations

_HELD, _FREE, _ROOM = b"\0", b"\1", b"\2"


class PagePool:
    """Pages with reference counts. A page is held (count > 0 or cached), free, or free and set aside."""

    def __init__(self, n_pages: int) -> None:
        self.n_pages = n_pages
        self.counts = [0] * n_pages
        self.n_free = n_pages
        self._map = bytearray(_FREE * n_pages)

    def take(self, n: int, room: int, after: int | None = None) -> tuple[list[int], range]:
        """n pages, each counted once, in one piece if possible, and the room set aside behind them.

        `after` is the page that they should follow. The caller has seen to it that n pages are free.
        """
        if n > self.n_free:
            raise ValueError(f"{n} pages wanted, {self.n_free} free")
        if after is not None and after + n < self.n_pages and not self._map[after + 1 : after + 1 + n].count(_HELD):
            return self._hold(range(after + 1, after + 1 + n)), self._set_aside(after + 1 + n, room)
        while True:
            start = self._map.find(_FREE * (n + room))
            if start >= 0:
                return self._hold(range(start, start + n)), self._set_aside(start + n, room)
            if not room:
                break
            room //= 2
        free = [page for page, state in enumerate(self._map) if state == _FREE[0]]
        aside_pages = [page for page, state in enumerate(self._map) if state == _ROOM[0]]
        return self._hold((free + aside_pages)[:n]), range(0)

    def _hold(self, pages: range | list[int]) -> list[int]:
        for page in pages:
            self._map[page] = _HELD[0]
            self.counts[page] = 1
        self.n_free -= len(pages)
        return list(pages)

    def _set_aside(self, start: int, room: int) -> range:
        """As much of the room from this page on as is free."""
        stop = start
        while stop < min(start + room, self.n_pages) and self._map[stop] == _FREE[0]:
            self._map[stop] = _ROOM[0]
            stop += 1
        return range(start, stop)

    def free(self, page: int) -> None:
        """Give a page back that nobody counts."""
        assert self.counts[page] == 0, f"page {page} is still counted"
        self._map[page] = _FREE[0]
        self.n_free += 1

    def forget_room(self, aside: range) -> None:
        for page in aside:
            if self._map[page] == _ROOM[0]:
                self._map[page] = _FREE[0]


class PageTable:
    """A request's pages in the order of its tokens, and the runs of neighbours that they form."""

    def __init__(self, page_tokens: int) -> None:
        self.page_tokens = page_tokens
        self.pages: list[int] = []
        self.room = range(0)
        self._runs: list[tuple[int, int, int]] = []
        """First place in `pages`, first page, number of pages."""

    def extend(self, pages: list[int]) -> None:
        for page in pages:
            if self._runs and page == self._runs[-1][1] + self._runs[-1][2]:
                place, first, n = self._runs[-1]
                self._runs[-1] = (place, first, n + 1)
            else:
                self._runs.append((len(self.pages), page, 1))
            self.pages.append(page)

    def clear(self) -> None:
        self.pages, self._runs, self.room = [], [], range(0)

    def slots(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Where tokens start to stop lie: (first slot, number of slots) a run; slot = page * page_tokens + offset."""
        size, found = self.page_tokens, []
        for place, first, n in self._runs:
            a, b = max(start, place * size), min(stop, (place + n) * size)
            if a < b:
                found.append(((first - place) * size + a, b - a))
        return found
