"""The scheduler alone, driven as the engine drives it, with a step that computes nothing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from policy.engine import EngineConfig, FinishReason, SamplingParams, Token
from policy.engine.pages import PagePool, PageTable
from policy.engine.prefix import PrefixCache
from policy.engine.request import Request
from policy.engine.scheduler import Scheduler
from policy.engine.states import StatePool

PAGE = 4


class House:
    """A scheduler with its pools; `step` is a step of an engine without a model."""

    def __init__(self, n_pages: int, *, states: bool = False, reuse: bool = True, **fields: int) -> None:
        self.config = EngineConfig(
            **{"max_running": 4, "step_tokens": 10, "snapshot_tokens": 8, "prefix_reuse": reuse, **fields}
        )
        self.pool = PagePool(n_pages)
        self.states = StatePool(self.config.max_running, 3) if states else None
        self.cache = PrefixCache(self.pool, self.states, PAGE, enabled=reuse)
        self.window = n_pages * PAGE
        self.scheduler = Scheduler(self.config, self.cache, self.states, PAGE, self.window)
        self.requests: list[Request] = []
        self.wrote: dict[int, tuple[int, ...]] = {}
        """Slot -> the ids that its content depends on."""

    def add(self, ids: list[int], max_tokens: int | None) -> Request:
        params = SamplingParams(max_tokens=max_tokens)
        request = Request(len(self.requests), list(ids), len(ids), params, 0, PageTable(PAGE))
        self.requests.append(request)
        self.scheduler.waiting.append(request)
        return request

    def slots(self, request: Request, start: int, stop: int) -> list[int]:
        runs = request.table.slots(start, stop)
        return [slot for first, n in runs for slot in range(first, first + n)]

    def step(self) -> int:
        chunks = self.scheduler.schedule()
        assert sum(chunk.n for chunk in chunks) <= self.config.step_tokens
        assert len(self.scheduler.running) <= self.config.max_running
        assert len({chunk.request.id for chunk in chunks}) == len(chunks)
        for chunk in chunks:
            request = chunk.request
            assert chunk.n > 0
            assert chunk.start == request.computed
            # what it builds on is what it would have computed itself
            for place, slot in enumerate(self.slots(request, 0, chunk.start)):
                assert self.wrote[slot] == tuple(request.ids[: place + 1])
            new = self.slots(request, chunk.start, chunk.start + chunk.n)
            assert len(new) == chunk.n
            for place, slot in enumerate(new, chunk.start):
                self.wrote[slot] = tuple(request.ids[: place + 1])
        for chunk in chunks:
            samples = chunk.samples
            self.scheduler.advance(chunk)
            if samples:
                token = Token(len(chunk.request.ids) % 2, -1.0, 0)
                if (reason := chunk.request.append(token, 0.4, self.window)) is not None:
                    self.end(chunk.request, reason)
        self.check()
        return len(chunks)

    def end(self, request: Request, reason: FinishReason) -> None:
        self.scheduler.leave(request)
        request.finish_reason = reason

    def check(self) -> None:
        """Every page is free, idle, or counted exactly as often as it is held."""
        held: dict[int, int] = {}
        for request in self.scheduler.running:
            for page in request.table.pages:
                held[page] = held.get(page, 0) + 1
        assert self.pool.counts == [held.get(page, 0) for page in range(self.pool.n_pages)]
        assert self.pool.n_free + self.cache.n_idle + len(held) == self.pool.n_pages
        if self.states is not None:
            assert self.states.n_held == len(self.scheduler.running)

    def run_out(self) -> None:
        for _ in range(5000):
            if not self.step():
                break
        assert not self.scheduler.waiting
        assert not self.scheduler.running
        assert self.pool.counts == [0] * self.pool.n_pages


arrivals = st.tuples(
    st.just("add"),
    st.lists(st.integers(0, 1), min_size=1, max_size=26),
    st.one_of(st.none(), st.integers(1, 20)),
)
events = st.one_of(
    arrivals,
    arrivals,
    st.tuples(st.just("step"), st.integers(1, 6)),
    st.tuples(st.just("end"), st.integers(0, 30)),
    st.tuples(st.just("interrupt"), st.integers(0, 30)),
    st.tuples(st.just("forget"), st.booleans()),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(events, max_size=30), st.integers(7, 14), st.booleans(), st.booleans())
def test_nothing_leaks_and_nobody_is_forgotten(
    events: list[tuple[object, ...]], n_pages: int, states: bool, reuse: bool
) -> None:
    house = House(n_pages, states=states, reuse=reuse)
    for event in events:
        match event:
            case ("add", list(ids), max_tokens):
                house.add(ids, max_tokens)  # type: ignore[arg-type]
            case ("step", int(n)):
                for _ in range(n):
                    house.step()
            case (("end" | "interrupt") as how, int(which)) if which < len(house.requests):
                request = house.requests[which]
                if request.finish_reason is None:
                    house.end(request, FinishReason.CANCELLED if how == "end" else FinishReason.INTERRUPTED)
                elif request.finish_reason is FinishReason.INTERRUPTED:
                    request.finish_reason = None
                    house.scheduler.waiting.append(request)
            case ("forget", bool(keep)):
                house.scheduler.forget(keep=keep)
        house.check()
    house.run_out()
    endings = {FinishReason.LENGTH, FinishReason.CONTEXT_OVERFLOW, FinishReason.CANCELLED, FinishReason.INTERRUPTED}
    assert {request.finish_reason for request in house.requests} <= endings
    for request in house.requests:
        if request.finish_reason is FinishReason.LENGTH:
            assert len(request.tokens) == request.params.max_tokens


def test_a_long_prompt_does_not_hold_up_who_decodes() -> None:
    house = House(64, step_tokens=8)
    first = house.add([0, 1], None)
    house.step()
    second = house.add([1] * 100, 4)
    for n in range(2, 12):
        house.step()
        assert len(first.tokens) == n
    assert 0 < second.computed < 100


def test_the_newest_gives_way_and_comes_back_first() -> None:
    house = House(6, reuse=False)
    old, new, later = house.add([0] * 8, 16), house.add([1] * 8, 8), house.add([1, 0], 2)
    while house.scheduler.n_preempted == 0:
        house.step()
    assert house.scheduler.running[0] is old
    assert house.scheduler.waiting[0] in (new, later)
    house.run_out()
    assert [len(request.tokens) for request in (old, new, later)] == [16, 8, 2]


def test_a_request_waits_for_a_page_that_another_computes() -> None:
    house = House(16, step_tokens=30)
    ids = [0, 1, 1, 0, 1, 0, 0, 1, 1, 1]
    one, same, other = house.add(ids, 5), house.add(ids, 5), house.add([1, *ids], 5)
    house.step()
    assert house.scheduler.running == [one, other]
    house.step()
    assert (same.reused, other.reused) == (8, 0)
    assert same.table.pages[:2] == one.table.pages[:2]
    # the one that computes goes away: the one that waits takes over
    house.end(one, FinishReason.CANCELLED)
    house.run_out()


def test_idle_pages_give_way_end_of_sequence_first() -> None:
    house = House(8)
    house.add([0] * 16, 1)
    house.run_out()
    kept = house.cache.n_idle
    assert kept == 4
    house.add([1] * 21, 1)
    house.run_out()
    again = house.add([0] * 16, 1)
    house.step()
    assert again.reused == 2 * PAGE
    house.run_out()
