"""Which pages (and lightning states) hold what, so that a prompt that begins like an earlier one is not computed again.

A whole page is named by a hash of all tokens up to its end; equal names mean equal keys and values, since nothing after
a token can change them. Pages that nobody counts stay, least recently used first to go, until room is needed. The names
of one policy version mean nothing under the next: an update forgets them all.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b

from policy.engine.pages import PagePool
from policy.engine.states import StatePool


class PrefixCache:
    def __init__(self, pool: PagePool, states: StatePool | None, page_tokens: int, *, enabled: bool) -> None:
        self.pool, self.states, self.page_tokens, self.enabled = pool, states, page_tokens, enabled
        self._pages: dict[bytes, int] = {}
        self._names: dict[int, bytes] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()
        self._coming: dict[bytes, int] = {}

    def names(self, ids: Sequence[int], known: list[bytes]) -> list[bytes]:
        """The names of all whole pages of ids; `known` are the first ones."""
        size, names = self.page_tokens, known
        for start in range(len(known) * size, len(ids) - size + 1, size):
            before = names[-1] if names else b""
            names.append(blake2b(before + array("q", ids[start : start + size]).tobytes(), digest_size=16).digest())
        return names

    def known(self, names: Sequence[bytes]) -> int:
        """How many of these pages, from the first, are there."""
        return next((i for i, name in enumerate(names) if name not in self._pages), len(names))

    def match(self, names: Sequence[bytes], limit: int) -> list[int]:
        """Pages of the longest known beginning, `limit` at most; it ends at a snapshot where the model has states."""
        pages = [self._pages[name] for name in names[: self.known(names[:limit])]]
        if self.states is not None:
            while pages and names[len(pages) - 1] not in self.states.snapshots:
                pages.pop()
        return pages

    def is_coming(self, name: bytes) -> bool:
        """Somebody in the batch computes this page; waiting a step or two is cheaper than computing it twice."""
        return self.enabled and name in self._coming

    def announce(self, names: Sequence[bytes]) -> None:
        for name in names:
            self._coming[name] = self._coming.get(name, 0) + 1

    def retract(self, names: Sequence[bytes]) -> None:
        for name in names:
            left = self._coming.get(name, 0) - 1
            if left > 0:
                self._coming[name] = left
            else:
                self._coming.pop(name, None)

    def know(self, name: bytes, page: int) -> None:
        """This page is computed."""
        if self.enabled and name not in self._pages and page not in self._names:
            self._pages[name] = page
            self._names[page] = name

    @property
    def n_available(self) -> int:
        """Pages that `take` can give: free, or kept only in case they are asked for again."""
        return self.pool.n_free + len(self._idle)

    @property
    def n_idle(self) -> int:
        return len(self._idle)

    def share(self, pages: Sequence[int]) -> None:
        for page in pages:
            self.pool.counts[page] += 1
            self._idle.pop(page, None)

    def take(self, n: int, room: int, after: int | None = None) -> tuple[list[int], range]:
        while self.pool.n_free < n:
            page, _ = self._idle.popitem(last=False)
            self._forget(page)
            self.pool.free(page)
        return self.pool.take(n, room, after)

    def release(self, pages: Sequence[int], room: range) -> None:
        self.pool.forget_room(room)
        # the end of a sequence is asked for least: it goes first
        for page in reversed(pages):
            self.pool.counts[page] -= 1
            if self.pool.counts[page]:
                continue
            if page in self._names:
                self._idle[page] = None
            else:
                self.pool.free(page)

    def clear(self) -> None:
        """Forget every name: the weights have changed."""
        for page in self._idle:
            self.pool.free(page)
        self._idle.clear()
        self._pages.clear()
        self._names.clear()
        self._coming.clear()
        if self.states is not None:
            self.states.forget_snapshots()

    def _forget(self, page: int) -> None:
        del self._pages[self._names.pop(page)]
