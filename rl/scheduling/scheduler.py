"""Which group starts next and which is trained on next: MiniMax's windowed FIFO (Forge) as a state machine.

Groups stand in a queue in the order of their dispatch. At most `span` of them lie between the oldest that is not
consumed, the head, and the newest; only those less than `window` places from the head may be fetched, so that quick
groups do not overtake slow ones without limit. FIFO, greedy and synchronous training are other settings of the same.

It has no clock, no threads and no groups: time is handed in, groups are references, and what is to be started or
cancelled is the answer of a call. A group that will never come (its episodes failed, it has nothing to teach, it held
the trainer up too long, it is too old) leaves a tombstone, over which the queue moves on.

    queued ──dispatch──> running ──done──> done ──fetch──> consumed
       └────────────────────┴──failed, tick, published──> tombstone        (also from done, where published)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from rl.frozen import Frozen
from rl.scheduling.metrics import SchedulerMetrics
from rl.scheduling.state import SchedulerState, Slot, Status

HEAD_DEADLINE = "head_deadline"
STALE = "stale"


class SchedulerConfig(Frozen):
    """Which group starts next and which is trained on next."""

    order: Literal["windowed", "fifo", "greedy", "sync"] = "windowed"
    """windowed: MiniMax's. fifo: a window of 1. greedy: no window and no span, whatever is done first (drifts to what
    is quick, and its staleness has no bound but max_staleness). sync: a batch starts when the last one is published."""
    batch_groups: int = Field(default=8, gt=0)
    """Groups in a batch, B."""
    concurrency: int = Field(default=16, gt=0)
    """Groups that run at once, C."""
    span: int | None = Field(default=None, gt=0)
    """Places between the oldest and the newest group, N; not less than C, or slots stay idle, and more so that groups
    which are done and wait do not keep others from starting. None: 4 C. For windowed and fifo."""
    window: int | None = Field(default=None, gt=0)
    """Places from which may be fetched, W. None: 0.3 N, rounded up. For windowed."""
    head_deadline_s: float | None = Field(default=600.0, gt=0)
    """Seconds that the trainer waits for the head while it may fetch no other group; then the head is given up. None:
    for ever."""
    max_staleness: int | None = Field(default=None, ge=0)
    """Policy versions from a group's dispatch to its training; older groups are given up. A second guard: the first is
    that no more than N + W - 2 groups are consumed in between. None: there is no second."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, orders in (("span", ("windowed", "fifo")), ("window", ("windowed",))):
            if getattr(self, name) is not None and self.order not in orders:
                raise ValueError(f'{name}: order "{self.order}" has none; leave it out, or order = "windowed"')
        if self.order in ("windowed", "fifo"):
            if self.places_open > self.places:
                raise ValueError(f"window {self.window} is more than span {self.places:g}: wanted W <= N")
            if self.concurrency > self.places:
                raise ValueError(f"span {self.places:g} is less than concurrency {self.concurrency}: wanted N >= C")
        return self

    @property
    def places(self) -> float:
        """N; infinite where there is no span."""
        if self.order in ("greedy", "sync"):
            return math.inf
        return self.span or 4 * self.concurrency

    @property
    def places_open(self) -> float:
        """W; infinite where there is no window."""
        if self.order == "fifo":
            return 1
        return self.window or (math.ceil(0.3 * self.places) if self.places < math.inf else math.inf)

    @property
    def lag_bound(self) -> float:
        """Groups consumed between a group's dispatch and its own consumption, at most: N + W - 2."""
        return self.batch_groups - 1 if self.order == "sync" else self.places + self.places_open - 2


@dataclass(frozen=True, slots=True)
class Fetched:
    """One group of a batch."""

    slot: int
    group: str
    version: int
    """Policy version at its dispatch."""


class Scheduler:
    """The machine. Its state belongs with the weights: taken after a train step and before the next batch is fetched,
    no group is lost and none is trained on twice."""

    def __init__(self, config: SchedulerConfig, state: SchedulerState | None = None) -> None:
        """A state goes on where it was taken; what ran then will be dispatched again, under the same number."""
        state = state or SchedulerState()
        self.config = config
        self.metrics = SchedulerMetrics()
        self.version = state.version
        self._head, self._next = state.head, state.next
        self._consumed, self._training = state.consumed, state.training
        self._batch = list(state.batch)
        self._slots: dict[int, Slot] = {}
        self._with: dict[Status, set[int]] = {status: set() for status in get_args(Status)}
        for number, slot in state.slots.items():
            self._put(number, slot, "queued" if slot.status == "running" else slot.status)
        self._now_s: float | None = None
        self._fetching = False
        self._blocked_s = 0.0
        """When the trainer began to wait for this head and nothing else."""

    def state(self) -> SchedulerState:
        return SchedulerState(
            head=self._head,
            next=self._next,
            version=self.version,
            consumed=self._consumed,
            training=self._training,
            slots=dict(self._slots),
            batch=tuple(self._batch),
        )

    def dispatch(self) -> list[int]:
        """The places whose groups start now, oldest first. Ask after every other call: each may have made room."""
        started = []
        while len(self._with["running"]) < self.config.concurrency and (number := self._startable()) is not None:
            self._put(number, Slot(version=self.version, consumed_before=self._consumed), "running")
            self._next = max(self._next, number + 1)
            started.append(number)
        return started

    def done(self, number: int, group: str) -> bool:
        """A group is finished and kept as `group`. False: it is no longer wanted, or was told before.

        After a restore this may come before the dispatch: a group that had been kept need not run again.
        """
        slot = self._awaited(number)
        if slot is None:
            return False
        if self._stale(slot):
            self._give_up(number, STALE)
            return False
        self._put(number, slot.model_copy(update={"group": group}), "done")
        return True

    def failed(self, number: int, reason: str) -> bool:
        """A group came to nothing; `reason` is what it is counted under. False: as in `done`."""
        if self._awaited(number) is None:
            return False
        self._give_up(number, reason)
        return True

    def published(self, version: int) -> list[int]:
        """The engine samples from this version now. Returns the running groups to cancel: too old to be of use.

        ValueError: it is not newer than the last.
        """
        if version <= self.version:
            raise ValueError(f"found policy version {version} published after {self.version}, wanted a newer one")
        self.version, self._training = version, False
        stale = sorted(n for n in self._with["running"] | self._with["done"] if self._stale(self._slots[n]))
        running = [number for number in stale if number in self._with["running"]]
        for number in stale:
            self._give_up(number, STALE)
        return running

    def tick(self, now_s: float) -> list[int]:
        """It is `now_s` on the caller's monotonic clock. Returns the running groups to cancel: the head, if overdue."""
        self._account(now_s)
        deadline_s = self.head_deadline_s
        if deadline_s is None or now_s < deadline_s:
            return []
        head = self._head
        self._give_up(head, HEAD_DEADLINE)
        return [head]

    @property
    def head_deadline_s(self) -> float | None:
        """When `tick` would give the head up, on the caller's clock; None: nothing presses."""
        if not self._fetching or self.config.head_deadline_s is None or self._head not in self._with["running"]:
            return None
        return self._blocked_s + self.config.head_deadline_s

    def fetch(self, now_s: float) -> list[Fetched] | None:
        """The next batch, oldest groups first as far as they were done; None: not complete yet, so ask again.

        What is fetched of an incomplete batch is kept for the next call, and the queue moves on over it.
        """
        self._account(now_s)
        while len(self._batch) < self.config.batch_groups:
            number = min(self._with["done"], default=None)
            if number is None or number - self._head >= self.config.places_open:
                if not self._fetching:
                    self._fetching, self._blocked_s = True, now_s
                return None
            self._consume(number)
            self._blocked_s = now_s
        batch, self._batch = self._batch, []
        self._fetching, self._training = False, True
        return [Fetched(number, slot.group or "", slot.version) for number, slot in batch]

    def take_metrics(self) -> SchedulerMetrics:
        """What happened since the last call of this."""
        taken, self.metrics = self.metrics, SchedulerMetrics()
        return taken

    @property
    def running(self) -> int:
        """Groups that run."""
        return len(self._with["running"])

    @property
    def done_inside(self) -> int:
        """Groups that may be fetched."""
        return sum(number - self._head < self.config.places_open for number in self._with["done"])

    @property
    def done_outside(self) -> int:
        """Groups that are done and have to wait until the window reaches them."""
        return len(self._with["done"]) - self.done_inside

    def _startable(self) -> int | None:
        if self._with["queued"]:
            return min(self._with["queued"])
        if self.config.order == "sync":
            of_batch = len(self._batch) + len(self._with["running"]) + len(self._with["done"])
            room = not self._training and of_batch < self.config.batch_groups
        else:
            room = self._next - self._head < self.config.places
        return self._next if room else None

    def _awaited(self, number: int) -> Slot | None:
        if number >= self._next:
            raise ValueError(
                f"found a result of place {number}, wanted one below {self._next}: it was never dispatched"
            )
        slot = self._slots.get(number)
        if slot is None or slot.status not in ("queued", "running"):
            self.metrics.late += 1
            return None
        return slot

    def _stale(self, slot: Slot) -> bool:
        limit = self.config.max_staleness
        return limit is not None and self.version - slot.version > limit

    def _consume(self, number: int) -> None:
        slot = self._slots[number]
        self.metrics.lag_groups[self._consumed - slot.consumed_before] += 1
        self.metrics.lag_versions[self.version - slot.version] += 1
        self.metrics.out_of_order[number - self._head] += 1
        self._consumed += 1
        self._batch.append((number, slot))
        self._put(number, slot, "consumed")
        self._advance()

    def _give_up(self, number: int, reason: str) -> None:
        self.metrics.tombstones[reason] += 1
        self._put(number, self._slots[number], "tombstone")
        self._advance()

    def _advance(self) -> None:
        while (slot := self._slots.get(self._head)) and slot.status in ("consumed", "tombstone"):
            self._with[slot.status].discard(self._head)
            del self._slots[self._head]
            self._head += 1
            self._blocked_s = self._now_s or 0.0

    def _put(self, number: int, slot: Slot, status: Status) -> None:
        if before := self._slots.get(number):
            self._with[before.status].discard(number)
        self._slots[number] = slot.model_copy(update={"status": status})
        self._with[status].add(number)

    def _account(self, now_s: float) -> None:
        """Since the last call nothing changed but the time."""
        passed_s = 0.0 if self._now_s is None else now_s - self._now_s
        self._now_s = now_s
        self.metrics.elapsed_s += passed_s
        self.metrics.running_s += passed_s * self.running
        if self._fetching:
            self.metrics.fetch_wait_s += passed_s
            if self._with["done"]:
                self.metrics.head_wait_s += passed_s
