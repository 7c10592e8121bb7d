"""The training loop with everything simulated but the scheduler: how fast a setting would be, before anything is run.

Rollouts are durations drawn from a distribution, a train step is a fixed time, and the clock jumps from event to event.
The duration of a group depends on the seed and on its place in the queue alone, so that two settings see the same luck.
"""

from __future__ import annotations

import heapq
import math
import random
import statistics
from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from rl.frozen import Frozen
from rl.scheduling.metrics import SchedulerMetrics
from rl.scheduling.scheduler import Scheduler, SchedulerConfig


class LatencyConfig(Frozen):
    """How long an episode takes. A group takes as long as its slowest."""

    median_s: float = Field(default=20.0, gt=0)
    """Of the lognormal distribution."""
    sigma: float = Field(default=1.2, ge=0)
    """Of the logarithm, in nats: 0.6 is mild, 1.2 a heavy tail (the mean is twice the median, 1 in 100 takes 16 times
    as long)."""
    seen_s: tuple[float, ...] = ()
    """Durations in seconds, measured ones for instance, that episodes take in turn, over and over, instead of the
    lognormal's."""
    timeout_s: float | None = Field(default=None, gt=0)
    """Episodes are ended after this many seconds. None: never."""
    hang_share: float = Field(default=0.0, ge=0, lt=1)
    """Part of the episodes that never end, unless there is a timeout."""

    def draw(self, rng: random.Random, episode: int) -> float:
        """Seconds that an episode, by its number in the run, takes; infinite where it hangs."""
        hangs = rng.random() < self.hang_share
        drawn_s = self.median_s * math.exp(rng.gauss(0.0, self.sigma))
        took_s = self.seen_s[episode % len(self.seen_s)] if self.seen_s else drawn_s
        return min(math.inf if hangs else took_s, self.timeout_s or math.inf)


class SimulationConfig(Frozen):
    scheduler: SchedulerConfig = SchedulerConfig()
    """The one that will run."""
    latency: LatencyConfig = LatencyConfig()
    """Of an episode."""
    group_size: int = Field(default=1, gt=0)
    """Episodes in a group, all begun at once."""
    useless_share: float = Field(default=0.0, ge=0, lt=1)
    """Part of the groups that come to nothing: no variance, or too few members."""
    train_step_s: float = Field(default=5.0, gt=0)
    """Seconds from a fetched batch to its published version."""
    steps: int = Field(default=250, gt=0)
    """Train steps to simulate."""
    seed: int = 0

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.latency.hang_share and self.latency.timeout_s is None and self.scheduler.head_deadline_s is None:
            raise ValueError("hang_share: episodes would hang for ever; set latency.timeout_s or head_deadline_s")
        return self


@dataclass(frozen=True, slots=True)
class Simulation:
    """What came out."""

    elapsed_s: float
    """Simulated, up to the last published version."""
    groups_per_s: float
    """Groups trained on; those that came to nothing do not count."""
    trainer_idle_share: float
    """Part of the time that the trainer waited for a batch."""
    rollout_idle_share: float
    """Part of the room for groups (time x concurrency) in which none ran."""
    first_s: float
    """Mean duration of the first tenth of the groups that were trained on. Well under `all_s`: training began with what
    is quick, and easy."""
    all_s: float
    """Mean duration of all groups that were started, those that hang left out."""
    metrics: SchedulerMetrics
    """Lags, waits and tombstones."""

    @property
    def staleness_max(self) -> int:
        """Policy versions from dispatch to training."""
        return max(self.metrics.lag_versions)


def simulate(config: SimulationConfig) -> Simulation:
    """Run `steps` train steps. Deterministic."""
    return _Loop(config).run()


class _Loop:
    def __init__(self, config: SimulationConfig) -> None:
        self.config = config
        self.scheduler = Scheduler(config.scheduler)
        self.now_s = 0.0
        self.took_s: dict[int, float] = {}
        """Of every group that was started."""
        self.finishing: list[tuple[float, int]] = []
        """Heap of when which group ends."""
        self.cancelled: set[int] = set()
        self.trained: list[int] = []
        self.version = 0
        self.publishing_s: float | None = None
        """When the batch in training will be a version; None: the trainer waits for a batch."""

    def run(self) -> Simulation:
        while self.version < self.config.steps:
            self._start()
            if self.publishing_s is None:
                if batch := self.scheduler.fetch(self.now_s):
                    self.trained += [group.slot for group in batch]
                    self.publishing_s = self.now_s + self.config.train_step_s
                self._start()
            self._jump()
        return self._result()

    def _start(self) -> None:
        for number in self.scheduler.dispatch():
            rng = self._luck("episodes", number)
            episodes = range(number * self.config.group_size, (number + 1) * self.config.group_size)
            self.took_s[number] = max(self.config.latency.draw(rng, episode) for episode in episodes)
            heapq.heappush(self.finishing, (self.now_s + self.took_s[number], number))

    def _jump(self) -> None:
        """To the next event, which may be several at once."""
        events = [self.finishing[0][0] if self.finishing else None, self.publishing_s, self.scheduler.head_deadline_s]
        self.now_s = min(event for event in events if event is not None)
        self.cancelled.update(self.scheduler.tick(self.now_s))
        while self.finishing and self.finishing[0][0] <= self.now_s:
            self._end(heapq.heappop(self.finishing)[1])
        if self.publishing_s is not None and self.publishing_s <= self.now_s:
            self.version, self.publishing_s = self.version + 1, None
            self.cancelled.update(self.scheduler.published(self.version))

    def _end(self, number: int) -> None:
        if number in self.cancelled:
            return
        if self._luck("use", number).random() < self.config.useless_share:
            self.scheduler.failed(number, "useless")
        else:
            self.scheduler.done(number, str(number))

    def _luck(self, of: str, number: int) -> random.Random:
        return random.Random(f"{of} {self.config.seed} {number}")

    def _result(self) -> Simulation:
        metrics = self.scheduler.take_metrics()
        figures = metrics.summary(self.config.scheduler.concurrency)
        first = self.trained[: math.ceil(len(self.trained) / 10)]
        return Simulation(
            elapsed_s=self.now_s,
            groups_per_s=len(self.trained) / self.now_s,
            trainer_idle_share=figures["trainer_idle_share"],
            rollout_idle_share=figures["rollout_idle_share"],
            first_s=statistics.fmean(self.took_s[number] for number in first),
            all_s=statistics.fmean(took_s for took_s in self.took_s.values() if took_s < math.inf),
            metrics=metrics,
        )
