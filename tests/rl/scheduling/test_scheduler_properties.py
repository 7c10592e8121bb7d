"""Whatever happens in whatever order: nothing is lost, nothing comes twice, order and staleness keep their bounds."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rl.scheduling.scheduler import Scheduler, SchedulerConfig
from rl.scheduling.state import SchedulerState


@st.composite
def configs(draw: st.DrawFn, *, bounded: bool = False) -> SchedulerConfig:
    order = draw(st.sampled_from(["windowed", "fifo"] if bounded else ["windowed", "fifo", "greedy", "sync"]))
    concurrency = draw(st.integers(1, 6))
    config = {"order": order, "batch_groups": draw(st.integers(1, 5)), "concurrency": concurrency}
    if order in ("windowed", "fifo"):
        config["span"] = draw(st.integers(concurrency, 12))
    if order == "windowed":
        config["window"] = draw(st.integers(1, config["span"]))
    return SchedulerConfig.model_validate(config)


class Machine(RuleBasedStateMachine):
    """The scheduler beside the plainest record of what happened to each place."""

    @initialize(config=configs(), max_staleness=st.none() | st.integers(0, 3), deadline_s=st.none() | st.just(5.0))
    def begin(self, config: SchedulerConfig, max_staleness: int | None, deadline_s: float | None) -> None:
        self.config = config.model_copy(update={"max_staleness": max_staleness, "head_deadline_s": deadline_s})
        self.scheduler = Scheduler(self.config)
        self.now_s = 0.0
        self.running: set[int] = set()
        self.done: set[int] = set()
        self.gone: set[int] = set()
        self.consumed: list[int] = []
        self.versions: dict[int, int] = {}

    @rule()
    def dispatch(self) -> None:
        started = self.scheduler.dispatch()
        assert started == sorted(started)
        assert not set(started) & (self.running | self.done | self.gone | set(self.consumed))
        self.running |= set(started)
        self.versions |= dict.fromkeys(started, self.scheduler.version)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(number)
        if data.draw(st.integers(0, 4)):
            assert self.scheduler.done(number, str(number))
            self.done.add(number)
        else:
            assert self.scheduler.failed(number, "useless")
            self.gone.add(number)

    @precondition(lambda self: self.gone or self.consumed)
    @rule(data=st.data())
    def come_late(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.gone | set(self.consumed))))
        assert not self.scheduler.done(number, "late")
        assert not self.scheduler.failed(number, "late")

    @rule(passed_s=st.floats(0, 8))
    def tick(self, passed_s: float) -> None:
        self.now_s += passed_s
        cancelled = self.scheduler.tick(self.now_s)
        assert cancelled in ([], [min(self.running | self.done, default=-1)]), "the head alone"
        self.give_up(cancelled)

    @rule()
    def publish(self) -> None:
        version = self.scheduler.version + 1
        self.give_up(self.scheduler.published(version))
        if self.config.max_staleness is not None:
            old = {n for n in self.done if version - self.versions[n] > self.config.max_staleness}
            self.done -= old
            self.gone |= old

    def give_up(self, cancelled: list[int]) -> None:
        assert set(cancelled) <= self.running
        self.running -= set(cancelled)
        self.gone |= set(cancelled)

    @rule()
    def fetch(self) -> None:
        batch = self.scheduler.fetch(self.now_s)
        if batch is not None:
            assert len(batch) == self.config.batch_groups
            for group in batch:
                assert group.group == str(group.slot)
                assert group.version == self.versions[group.slot]
            self.consumed += [group.slot for group in batch]
        self.done -= {number for number, _ in self.scheduler.state().batch} | set(self.consumed)

    @rule()
    def restore(self) -> None:
        """Killed and started anew: what ran does not run any more."""
        state = SchedulerState.model_validate_json(self.scheduler.state().model_dump_json())
        self.scheduler = Scheduler(self.config, state)
        assert self.scheduler.running == 0
        self.running.clear()

    @invariant()
    def bounds(self) -> None:
        if not hasattr(self, "scheduler"):
            return
        assert len(self.consumed) == len(set(self.consumed)), "twice"
        assert not set(self.consumed) & self.gone
        assert self.scheduler.running == len(self.running) <= self.config.concurrency
        metrics, state = self.scheduler.metrics, self.scheduler.state()
        assert state.next - state.head <= self.config.places
        assert max(metrics.out_of_order, default=0) < self.config.places_open
        assert max(metrics.lag_groups, default=0) <= self.config.lag_bound
        if self.config.max_staleness is not None:
            assert max(metrics.lag_versions, default=0) <= self.config.max_staleness

    def teardown(self) -> None:
        """Every place that was ever dispatched ends: trained on, or given up."""
        if not hasattr(self, "scheduler"):
            return
        last = self.scheduler.state().next
        while self.scheduler.state().head < last:
            self.dispatch()
            for number in sorted(self.running):
                self.running.discard(number)
                assert self.scheduler.done(number, str(number))
                self.done.add(number)
            self.fetch()
            if self.scheduler.state().training:
                self.publish()
        batch = {number for number, _ in self.scheduler.state().batch}
        assert set(range(last)) <= set(self.consumed) | self.gone | batch


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def drive(
    config: SchedulerConfig, seed: int, n_batches: int, kill_after: int | None = None
) -> tuple[list[int], int, int]:
    """Random ends until so many batches were trained on, killed and restored after an event: (trained, head, events).

    A place's fate is its own: one in five comes to nothing, however often it runs.
    """
    rng, scheduler, events = random.Random(seed), Scheduler(config), 0
    running: set[int] = set()
    trained: list[int] = []
    while len(trained) < n_batches * config.batch_groups:
        if events == kill_after:
            scheduler = Scheduler(config, SchedulerState.model_validate_json(scheduler.state().model_dump_json()))
            running.clear()
        events += 1
        running |= set(scheduler.dispatch())
        if (batch := scheduler.fetch(float(events))) is not None:
            trained += [group.slot for group in batch]
            scheduler.published(scheduler.version + 1)
        elif running:
            number = rng.choice(sorted(running))
            running.discard(number)
            useful = random.Random(number).random() > 0.2
            assert scheduler.done(number, str(number)) if useful else scheduler.failed(number, "useless")
    assert max(scheduler.metrics.lag_groups, default=0) <= config.lag_bound
    return trained, scheduler.state().head, events


def useful_below(head: int) -> list[int]:
    return [number for number in range(head) if random.Random(number).random() > 0.2]


@given(config=configs(), seed=st.integers(0, 1000), data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_restore_after_any_event_trains_the_same_multiset(
    config: SchedulerConfig, seed: int, data: st.DataObject
) -> None:
    trained, head, events = drive(config, seed, n_batches=6)
    assert Counter(n for n in trained if n < head) == Counter(useful_below(head))
    killed, killed_head, _ = drive(config, seed, 6, kill_after=data.draw(st.integers(0, events - 1)))
    assert Counter(n for n in killed if n < killed_head) == Counter(useful_below(killed_head))


@given(config=configs(bounded=True), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_a_window_of_one_is_fifo(config: SchedulerConfig, seed: int) -> None:
    narrow = config.model_copy(update={"order": "windowed", "window": 1})
    fifo = config.model_copy(update={"order": "fifo", "window": None})
    trained, head, _ = drive(narrow, seed, n_batches=4)
    assert drive(fifo, seed, n_batches=4)[:2] == (trained, head)
    assert trained == sorted(trained)


@given(config=configs(), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_greedy_is_a_window_and_span_without_bounds(config: SchedulerConfig, seed: int) -> None:
    wide = config.model_copy(update={"order": "windowed", "span": 10**6, "window": 10**6})
    greedy = config.model_copy(update={"order": "greedy", "span": None, "window": None})
    assert drive(wide, seed, n_batches=4) == drive(greedy, seed, n_batches=4)
