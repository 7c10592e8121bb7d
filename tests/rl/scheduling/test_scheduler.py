"""The queue by hand: each setting, the deadline, staleness, bad input."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rl.scheduling.scheduler import Scheduler, SchedulerConfig


def scheduler(**config: object) -> Scheduler:
    return Scheduler(SchedulerConfig.model_validate(config))


def finish(machine: Scheduler, *numbers: int) -> None:
    for number in numbers:
        assert machine.done(number, f"group-{number}")


def fetched(machine: Scheduler, now_s: float = 0.0) -> list[int] | None:
    batch = machine.fetch(now_s)
    return None if batch is None else [group.slot for group in batch]


def test_the_figure_of_forge() -> None:
    """N = 8, W = 4: out of order by 3 at most, consumed after 8 + 4 - 2 others at most (their 8 + 3 - 1)."""
    machine = scheduler(batch_groups=1, concurrency=8, span=8, window=4)
    assert machine.config.lag_bound == 10
    assert machine.dispatch() == list(range(8))
    finish(machine, *range(1, 8))
    assert [fetched(machine) for _ in range(3)] == [[1], [2], [3]]
    assert fetched(machine) is None, "4 is done and outside the window"
    assert (machine.done_inside, machine.done_outside) == (0, 4)
    assert machine.dispatch() == [], "the head has not moved"
    finish(machine, 0)
    assert fetched(machine) == [0]
    assert machine.dispatch() == [8, 9, 10, 11]
    assert [fetched(machine) for _ in range(4)] == [[4], [5], [6], [7]]
    assert max(machine.metrics.out_of_order) == 3


def test_the_lag_reaches_its_bound_and_stays_there() -> None:
    machine = scheduler(batch_groups=1, concurrency=4, span=4, window=3)
    machine.dispatch()
    for head in range(0, 40, 6):  # the place at head + 3 has just been dispatched, and is held back as long as can be
        finish(machine, head, head + 1, head + 2)
        assert [fetched(machine) for _ in range(3)] == [[head], [head + 1], [head + 2]]
        assert machine.dispatch() == [head + 4, head + 5, head + 6]
        finish(machine, head + 4, head + 5)
        assert [fetched(machine) for _ in range(3)] == [[head + 4], [head + 5], None]
        finish(machine, head + 3)
        assert fetched(machine) == [head + 3]
        machine.dispatch()
    assert max(machine.metrics.lag_groups) == machine.config.lag_bound == 5


def test_fifo_hands_out_in_order_whatever_ends_first() -> None:
    machine = scheduler(order="fifo", batch_groups=2, concurrency=4, span=4)
    machine.dispatch()
    finish(machine, 3, 1)
    assert fetched(machine) is None
    finish(machine, 0)
    assert fetched(machine) == [0, 1]
    assert fetched(machine) is None
    finish(machine, 2)
    assert fetched(machine) == [2, 3]


def test_greedy_takes_whatever_is_done_and_starts_without_end() -> None:
    machine = scheduler(order="greedy", batch_groups=2, concurrency=2)
    machine.dispatch()
    for number in range(1, 9):
        finish(machine, number)
        assert machine.dispatch() == [number + 1]
    assert [fetched(machine) for _ in range(4)] == [[1, 2], [3, 4], [5, 6], [7, 8]]


def test_sync_starts_a_batch_when_the_last_one_is_published() -> None:
    machine = scheduler(order="sync", batch_groups=3, concurrency=8)
    assert machine.dispatch() == [0, 1, 2]
    finish(machine, 2, 1)
    assert fetched(machine) is None
    assert machine.dispatch() == []
    assert machine.failed(0, "all_failed")
    assert machine.dispatch() == [3], "what comes to nothing is replaced"
    finish(machine, 3)
    assert fetched(machine) == [1, 2, 3]
    assert machine.dispatch() == [], "the trainer is at work"
    machine.published(1)
    assert machine.dispatch() == [4, 5, 6]
    assert max(machine.metrics.lag_versions) == 0


def test_a_batch_is_handed_out_whole_and_what_it_has_moves_the_queue() -> None:
    machine = scheduler(batch_groups=3, concurrency=2, span=2, window=2)
    assert machine.dispatch() == [0, 1]
    finish(machine, 0, 1)
    assert fetched(machine) is None
    assert machine.dispatch() == [2, 3]
    finish(machine, 3)
    batch = machine.fetch(0.0)
    assert batch is not None
    assert [(each.slot, each.group, each.version) for each in batch] == [
        (0, "group-0", 0), (1, "group-1", 0), (3, "group-3", 0)
    ]  # fmt: skip


class TestHungHead:
    def machine(self, **config: object) -> Scheduler:
        machine = scheduler(
            **{"batch_groups": 1, "concurrency": 4, "span": 4, "window": 2, "head_deadline_s": 10.0} | config
        )
        machine.dispatch()
        finish(machine, 1, 2, 3)
        assert fetched(machine, 0.0) == [1]
        assert fetched(machine, 100.0) is None
        return machine

    def test_is_given_up_at_the_deadline_and_the_order_is_kept(self) -> None:
        machine = self.machine()
        assert machine.head_deadline_s == 110.0
        assert machine.tick(109.9) == []
        assert machine.tick(110.0) == [0]
        assert machine.metrics.tombstones == {"head_deadline": 1}
        assert [fetched(machine, 110.0) for _ in range(2)] == [[2], [3]]
        assert machine.dispatch() == [4, 5, 6, 7]

    def test_what_it_brings_later_is_not_wanted(self) -> None:
        machine = self.machine()
        machine.tick(110.0)
        assert not machine.done(0, "late")
        assert not machine.failed(0, "late")
        assert machine.metrics.late == 2

    def test_presses_only_while_the_trainer_waits_for_it_alone(self) -> None:
        machine = scheduler(batch_groups=2, concurrency=4, span=4, window=4, head_deadline_s=10.0)
        machine.dispatch()
        assert machine.tick(1000.0) == []
        assert machine.head_deadline_s is None
        assert fetched(machine, 1000.0) is None
        finish(machine, 1)
        assert fetched(machine, 1009.0) is None, "one of two"
        assert machine.head_deadline_s == 1019.0, "another was fetched meanwhile"
        finish(machine, 2)
        assert fetched(machine, 1009.5) == [1, 2]
        assert machine.head_deadline_s is None

    def test_the_next_head_has_its_own_time(self) -> None:
        machine = scheduler(batch_groups=1, concurrency=2, span=2, window=1, head_deadline_s=10.0)
        machine.dispatch()
        assert fetched(machine, 0.0) is None
        assert machine.tick(9.0) == []
        assert machine.failed(0, "all_failed")
        assert machine.head_deadline_s == 19.0
        assert machine.tick(19.0) == [1]

    def test_waits_for_ever_without_a_deadline(self) -> None:
        machine = self.machine(head_deadline_s=None)
        assert machine.tick(1e9) == []

    def test_waiting_is_counted(self) -> None:
        machine = self.machine()
        machine.tick(104.0)
        assert machine.metrics.fetch_wait_s == 4.0
        assert machine.metrics.head_wait_s == 4.0
        assert machine.metrics.running_s == 104.0
        summary = machine.take_metrics().summary(concurrency=4)
        assert summary["trainer_idle_share"] == pytest.approx(4 / 104)
        assert summary["rollout_idle_share"] == pytest.approx(3 / 4)
        assert machine.metrics.elapsed_s == 0.0, "taken"


class TestStaleness:
    def test_what_is_too_old_is_given_up_running_or_done(self) -> None:
        machine = scheduler(batch_groups=1, concurrency=3, span=3, window=1, max_staleness=1)
        machine.dispatch()
        finish(machine, 1)
        assert machine.published(1) == []
        assert machine.published(2) == [0, 2], "1 is done: there is nothing to cancel"
        assert machine.metrics.tombstones == {"stale": 3}
        assert machine.dispatch() == [3, 4, 5]

    def test_what_is_just_young_enough_trains(self) -> None:
        machine = scheduler(batch_groups=1, concurrency=1, span=1, window=1, max_staleness=1)
        machine.dispatch()
        machine.published(1)
        finish(machine, 0)
        assert fetched(machine) == [0]
        assert machine.metrics.lag_versions == {1: 1}

    def test_a_kept_group_that_aged_over_a_restore_is_refused(self) -> None:
        machine = scheduler(batch_groups=1, concurrency=1, span=1, window=1, max_staleness=1)
        machine.dispatch()
        again = Scheduler(machine.config, machine.state())
        assert again.published(2) == [], "it waits to be dispatched anew"
        assert not again.done(0, "kept")
        assert again.metrics.tombstones == {"stale": 1}

    def test_a_version_that_is_not_newer_is_refused(self) -> None:
        machine = scheduler()
        machine.published(3)
        with pytest.raises(ValueError, match="found policy version 3 published after 3"):
            machine.published(3)


class TestRestore:
    def test_what_ran_is_dispatched_again_before_anything_new(self) -> None:
        machine = scheduler(batch_groups=2, concurrency=3, span=6, window=3)
        machine.dispatch()
        finish(machine, 1)
        assert machine.dispatch() == [3]
        again = Scheduler(machine.config, machine.state())
        assert again.dispatch() == [0, 2, 3]
        finish(again, 0)
        assert fetched(again) == [0, 1]

    def test_a_kept_group_need_not_run_again(self) -> None:
        machine = scheduler(batch_groups=1, concurrency=2, span=4, window=2)
        machine.dispatch()
        again = Scheduler(machine.config, machine.state())
        assert again.done(0, "kept on disk")
        assert again.dispatch() == [1, 2]
        batch = again.fetch(0.0)
        assert batch is not None
        assert batch[0].group == "kept on disk"

    def test_a_batch_half_fetched_is_not_lost(self) -> None:
        machine = scheduler(batch_groups=2, concurrency=2, span=2, window=1)
        machine.dispatch()
        finish(machine, 0)
        assert fetched(machine) is None
        again = Scheduler(machine.config, machine.state())
        again.dispatch()
        finish(again, 1)
        assert fetched(again) == [0, 1]


def test_a_result_comes_once() -> None:
    machine = scheduler(batch_groups=1)
    machine.dispatch()
    finish(machine, 0)
    assert not machine.done(0, "again")
    assert fetched(machine) == [0]
    assert not machine.done(0, "and again")


def test_a_place_that_was_never_dispatched_is_refused() -> None:
    machine = scheduler(concurrency=2, span=2)
    machine.dispatch()
    with pytest.raises(ValueError, match="found a result of place 2, wanted one below 2"):
        machine.done(2, "?")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"span": 32, "window": 33}, "window 33 is more than span 32: wanted W <= N"),
        ({"concurrency": 33, "span": 32}, "span 32 is less than concurrency 33: wanted N >= C"),
        ({"order": "greedy", "span": 8}, 'span: order "greedy" has none'),
        ({"order": "sync", "window": 8}, 'window: order "sync" has none'),
        ({"order": "fifo", "window": 2}, 'window: order "fifo" has none'),
        ({"window": 0}, "window\n  Input should be greater than 0"),
        ({"head_deadline": 5}, 'unknown key (nearest known key: "head_deadline_s")'),
    ],
)
def test_bad_settings_are_refused(config: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        SchedulerConfig.model_validate(config)
    assert said in str(error.value)


def test_defaults() -> None:
    config = SchedulerConfig(concurrency=10)
    assert (config.places, config.places_open) == (40, 12)
