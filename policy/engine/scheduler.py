"""Which tokens the next step computes. The scheduler knows requests, pages and rows; no tensor and no clock.

A step is a list of chunks: one token of each request that decodes, then pieces of prompts, as many as fit. Waiting
requests come in, oldest first, when their whole prompt has pages. When a running request finds no page, the newest one
gives its pages back and waits again, first in line; what it had computed is computed anew. The oldest can always take
every page, and no request is let in that would need more: so somebody always gets on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from policy.engine.config import EngineConfig
from policy.engine.prefix import PrefixCache
from policy.engine.request import Request
from policy.engine.states import StatePool


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens start to start + n of a request; the last one's logits are sampled if it is the request's last id."""

    request: Request
    start: int
    n: int

    @property
    def samples(self) -> bool:
        return self.start + self.n == len(self.request.ids)


class Scheduler:
    def __init__(
        self, config: EngineConfig, cache: PrefixCache, states: StatePool | None, page_tokens: int, window: int
    ) -> None:
        self.config, self.cache, self.states = config, cache, states
        self.page_tokens, self.window = page_tokens, window
        self.waiting: deque[Request] = deque()
        self.running: list[Request] = []
        self.n_preempted = 0
        self.n_prompt = self.n_reused = 0
        """Tokens of admitted prompts; of those, what prefix reuse spared."""

    def schedule(self) -> list[Chunk]:
        """The next step's chunks, their pages and rows taken. Empty: nothing is left to do."""
        chunks: list[Chunk] = []
        budget = self.config.step_tokens
        # decoders first: a long prompt must not hold up who already speaks; sort keeps the order of arrival
        for request in sorted(self.running, key=lambda request: request.remaining > 1):
            if budget and request in self.running and self._grow(request):
                n = self._cut(request, budget)
                chunks.append(Chunk(request, request.computed, n))
                budget -= n
        # whoever gave way to a later one after it was planned
        chunks = [chunk for chunk in chunks if chunk.request in self.running]
        for request in list(self.waiting):
            if not budget or len(self.running) == self.config.max_running:
                break
            if self._is_spared(request):
                continue
            if not self._admit(request):
                break
            n = self._cut(request, budget)
            chunks.append(Chunk(request, request.computed, n))
            budget -= n
        return chunks

    def advance(self, chunk: Chunk) -> None:
        """A chunk is computed: its whole pages get known."""
        request, size = chunk.request, self.page_tokens
        if request not in self.running:
            return
        done = request.computed // size
        request.computed += chunk.n
        whole = request.computed // size
        if request.mixed or whole == done:
            return
        names = self.cache.names(request.ids, request.keys)
        for i in range(done, whole):
            self.cache.know(names[i], request.table.pages[i])
        self.cache.retract(names[done : min(whole, request.n_announced)])
        if self.states is not None and request.computed in self._stops(request) and self.config.prefix_reuse:
            assert request.state_row is not None
            self.states.snapshot(names[whole - 1], request.state_row)

    def leave(self, request: Request) -> None:
        """Give up all that a request holds; its ids stay."""
        if request in self.running:
            self.running.remove(request)
            self._release(request)
        elif request in self.waiting:
            self.waiting.remove(request)

    def preempt(self, request: Request) -> None:
        self.leave(request)
        self.waiting.appendleft(request)
        self.n_preempted += 1

    def forget(self, *, keep: bool) -> None:
        """The weights are new: nothing computed so far may be shared, and unless kept, nothing of it is used again."""
        self.cache.clear()
        for request in reversed(list(self.running)):
            request.n_announced, request.mixed = 0, True
            if not keep:
                self.leave(request)
                self.waiting.appendleft(request)

    def _admit(self, request: Request) -> bool:
        """Pages for all its ids, and a row; False: not now."""
        size, ids = self.page_tokens, request.ids
        names = self.cache.names(ids, request.keys)
        # one token at least is computed, for its logits
        shared = self.cache.match(names, (len(ids) - 1) // size)
        wanted = -(-len(ids) // size) - len(shared)
        self.cache.share(shared)
        # a page more for each who runs, or the newcomer would be the first to be thrown out
        if wanted + len(self.running) > self.cache.n_available and (self.running or wanted > self.cache.n_available):
            self.cache.release(shared, range(0))
            return False
        request.table.extend(shared)
        pages, request.table.room = self.cache.take(wanted, self._room(request), shared[-1] if shared else None)
        request.table.extend(pages)
        request.computed = len(shared) * size
        if request.is_new:
            request.is_new, request.reused = False, request.computed
            self.n_prompt += request.n_prompt
            self.n_reused += request.reused
        request.mixed = False
        request.n_announced = len(ids) // size
        self.cache.announce(names[len(shared) : request.n_announced])
        if self.states is not None:
            request.state_row = self.states.take(names[len(shared) - 1] if shared else None)
        self.waiting.remove(request)
        self.running.append(request)
        return True

    def _grow(self, request: Request) -> bool:
        """A page for each of its ids; False: it had to give way itself."""
        while len(request.table.pages) * self.page_tokens < len(request.ids):
            if not self.cache.n_available:
                newest = self.running[-1]
                self.preempt(newest)
                if newest is request:
                    return False
                continue
            pages, _ = self.cache.take(1, 0, after=request.table.pages[-1])
            request.table.extend(pages)
        return True

    def _release(self, request: Request) -> None:
        self.cache.retract(request.keys[request.computed // self.page_tokens : request.n_announced])
        self.cache.release(request.table.pages, request.table.room)
        request.table.clear()
        request.computed = 0
        if self.states is not None and request.state_row is not None:
            self.states.release(request.state_row)
            request.state_row = None

    def _is_spared(self, request: Request) -> bool:
        """The next page that it lacks is being computed for somebody else."""
        names = self.cache.names(request.ids, request.keys)
        limit = (len(request.ids) - 1) // self.page_tokens
        place = self.cache.known(names[:limit])
        return place < limit and self.cache.is_coming(names[place])

    def _room(self, request: Request) -> int:
        longest = self.window if request.params.max_tokens is None else request.n_prompt + request.params.max_tokens
        return max(0, -(-min(longest, self.window) // self.page_tokens) - -(-len(request.ids) // self.page_tokens))

    def _cut(self, request: Request, budget: int) -> int:
        """Tokens of its next chunk: all that remain, or as many as fit, or up to where a snapshot is due."""
        stop = min(request.computed + budget, len(request.ids))
        if self.states is None or not self.config.prefix_reuse:
            return stop - request.computed
        return min([stop, *(s for s in self._stops(request) if s > request.computed)]) - request.computed

    def _stops(self, request: Request) -> tuple[int, ...]:
        """Lengths at which its state is copied aside: every snapshot_tokens, and at the prompt's last whole page."""
        every = -(-self.config.snapshot_tokens // self.page_tokens) * self.page_tokens
        here = request.computed // every * every
        return here, here + every, request.n_prompt // self.page_tokens * self.page_tokens
