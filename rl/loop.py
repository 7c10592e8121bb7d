"""The training loop: rollouts and train steps at the same time, each batch a new version of the policy.

    tasks ─> episodes ─> groups ─> scheduler ─> batch ─> samples ─> train step ─> publish ─┐
                ^                                                                          │
                └───────────────────── engine: version n + 1 <─────────────────────────────┘

The trainer has the calling thread; workers and engine have their own. Here the parts are put in order and timed; how
they are made is `assembly.py`'s, and who looks on (`observe/`) the caller's.
"""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from rl.assembly import Parts
from rl.config import TrainConfig
from rl.errors import NothingToLearn, TrainingError
from rl.meter import Meter
from rl.observe.record import Observer, Record
from rl.resume import LoopState
from rl.rollout.group import Group, training_samples
from rl.scheduling.scheduler import Fetched
from rl.window import advance

Batch = Sequence[tuple[Fetched, Group]]

_SUMS = ("_s", "_tokens", "microbatches")
"""How the names of the trainer's metrics end that add up over the updates of a batch; of the others the mean counts."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to."""

    steps: int
    before: dict[str, float]
    """Success by split, before the first step."""
    after: dict[str, float]
    """After the last one; empty where the run was stopped before."""
    wall_s: float
    """Warm-up and all the times that it went on."""
    stopped: bool


class Loop:
    """One run, from where its parts stand to its last step."""

    def __init__(self, config: TrainConfig, parts: Parts, observers: Sequence[Observer]) -> None:
        self.config, self.parts, self._observers = config, parts, observers
        self.step = parts.state.step
        self._before, self._after = dict(parts.state.before), dict[str, float]()
        self._window = parts.state.window
        self._meter = Meter(workers=config.rollouts.parallel)

    def run(self, stop: threading.Event) -> Result:
        """Train until the last step, or until `stop` is set; then the state is saved.

        Raises TrainingError: it cannot go on; the last state is what to go on from. Where that is NothingToLearn, the
        run has its last state and its last measurement all the same.
        """
        try:
            return self._run(stop)
        except OSError as error:
            raise TrainingError(
                f"the run cannot be written down ({error}): make room, and go on with --resume"
            ) from None

    def _run(self, stop: threading.Event) -> Result:
        parts, steps = self.parts, self.config.run.steps
        self._tell("start", {"steps": float(steps)})
        if not self._before and (success := self._measure(stop)) is not None:
            self._before = success
            parts.states.save(parts.trainer, self._state())
        if not stop.is_set() and self.step < steps:
            parts.rollouts.start()
            self._meter.begin(parts.workers.busy_s)
        try:
            while self.step < steps and self._advance(stop):
                pass
        except NothingToLearn as error:
            self._end(stop, str(error))
            raise
        self._end(stop)
        return Result(self.step, self._before, self._after, self._wall_s, stopped=self.step < steps)

    def _end(self, stop: threading.Event, why: str = "") -> None:
        parts = self.parts
        if not stop.is_set():
            self._after = self._after or (self._measure(stop) if self.step else self._before) or {}
        parts.states.save(parts.trainer, self._state())
        self._tell("end", {"wall_s": self._wall_s, **{f"success/{split}": x for split, x in self._after.items()}}, why)

    def _advance(self, stop: threading.Event) -> bool:
        """One step; false where it was stopped before its batch was complete."""
        parts, run = self.parts, self.config.run
        with self._meter("fetch"):
            batch = parts.rollouts.fetch(stop)
        if batch is None:
            return False
        with self._meter("train"):
            trained = self._train(batch)
        self.step += 1
        self._open_window(batch)
        with self._meter("publish"):
            parts.publisher.publish(parts.trainer.weights(), self.step)
        parts.rollouts.published(self.step)
        parts.trained_groups.append(self.step, batch)
        every = self.config.heldout.every_steps
        self._after = (self._measure(stop) or {}) if every and self.step % every == 0 else {}
        if self.step % run.save_every_steps == 0:
            parts.states.save(parts.trainer, self._state())
        self._tell("step", self._metrics(trained))
        return True

    def _train(self, batch: Batch) -> dict[str, float]:
        """The updates of a batch; the trainer's metrics over all of them."""
        config = self.config
        groups = training_samples([group for _, group in batch], config.reward, config.advantage)
        size = math.ceil(len(groups) / config.run.updates_per_batch)
        parts = [groups[first : first + size] for first in range(0, len(groups), size)]
        updates = [self.parts.trainer.train_step([sample for group in part for sample in group]) for part in parts]
        names = {name: None for update in updates for name in update}
        return {name: _over(name, [update[name] for update in updates if name in update]) for name in names}

    def _measure(self, stop: threading.Event) -> dict[str, float] | None:
        with self._meter("heldout"):
            success = self.parts.heldout.measure(stop)
        if success:
            self._tell("heldout", {f"success/{split}": share for split, share in success.items()})
        return success

    def _open_window(self, batch: Batch) -> None:
        config = self.config.window
        if config is None or self._window is None:
            return
        members = [member for _, group in batch for member in group.graded]
        logprobs = [x for member in members for sample in member.samples for x in sample.sampler_logprobs]
        lengths = sorted(member.n_tokens for member in members)
        p99 = lengths[math.ceil(0.99 * len(lengths)) - 1]
        before, self._window = self._window, advance(self._window, -statistics.fmean(logprobs), p99, config)
        if self._window.stage != before.stage:
            self.parts.limit(self._window.window_tokens(config))
            self._tell("note", {}, f"a rollout may sample {self._window.window_tokens(config)} tokens from now on")

    # --------------------------------------------------------------------------------------------------- telling

    @property
    def _wall_s(self) -> float:
        return self.parts.state.wall_s + time.perf_counter() - self.parts.began_s

    def _metrics(self, trained: dict[str, float]) -> dict[str, float]:
        parts, rollouts = self.parts, self.parts.rollouts
        seconds, timed = self._meter.take(parts.workers.busy_s, steps_left=self.config.run.steps - self.step)
        with rollouts.changed:
            tally, queue = rollouts.take_tally(), parts.scheduler.take_metrics()
        waited = queue.summary(self.config.scheduler.concurrency)
        return {
            **tally.metrics(seconds),
            **{f"lag/{name}": waited[f"lag_{name}"] for name in ("versions_mean", "versions_max", "groups_mean")},
            "groups/trained": waited["groups"],
            "groups/tombstones": float(queue.tombstones.total()),
            "rate/trained_tokens_per_s": trained["trained_tokens"] / seconds,
            **timed,
            **{f"trainer/{name}": value for name, value in trained.items()},
        }

    def _tell(
        self, kind: Literal["start", "step", "heldout", "note", "end"], metrics: dict[str, float], text: str = ""
    ) -> None:
        record = Record(kind=kind, step=self.step, at=datetime.now(UTC), metrics=metrics, text=text)
        for observer in self._observers:
            observer.record(record)

    def _state(self) -> LoopState:
        """Of one moment."""
        rollouts = self.parts.rollouts
        with rollouts.changed:
            return LoopState(
                step=self.step,
                scheduler=self.parts.scheduler.state(),
                curriculum=self.parts.curriculum.state,
                candidates=rollouts.candidates,
                groups=tuple(rollouts.groups.values()),
                window=self._window,
                before=self._before,
                wall_s=self._wall_s,
            )


def _over(name: str, values: Sequence[float]) -> float:
    return sum(values) if name.endswith(_SUMS) else statistics.fmean(values)
