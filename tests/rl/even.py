"""A run that takes seconds and learns for real: the policy is rewarded where most of the ids it samples are even.

Everything is the loop's own but sandbox and verifier. `python -m tests.rl.even RUN` makes or resumes one, to be killed.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentgym.env import Episode, EpisodeConfig
from agentgym.gateway import Gateway
from agentgym.protocols import StopReason
from agentgym.rollout import Job
from agentgym.trajectory import Outcome, TaskRef, Trajectory
from rl.assembly import assembled
from rl.check import read_config
from rl.config import TrainConfig, parse
from rl.loop import Loop, Result
from rl.observe.jsonl import JsonLines
from rl.observe.record import Record
from rl.run_folder import RunFolder

CONFIG: dict[str, Any] = {
    "run": {"steps": 6, "save_every_steps": 2, "keep_episodes_share": 0.0},
    "model": {"max_tokens": 4, "parallel": 16, "window_tokens": 512},
    "tasks": {"train": ["repairs:train"], "heldout": ["repairs:heldout"]},
    "rollouts": {"group_size": 4, "parallel": 8},
    "scheduler": {"batch_groups": 2, "concurrency": 4, "order": "fifo"},
    "heldout": {"tasks": 4, "every_steps": 3},
    "trainer": {"optimizer": {"learning_rate": 1e-3}},
}


def config(**tables: dict[str, Any]) -> TrainConfig:
    """CONFIG with values of some tables replaced."""
    found, lines = parse({**CONFIG, **{name: {**CONFIG.get(name, {}), **values} for name, values in tables.items()}})
    assert not lines
    return TrainConfig(**found)


def roll(job: Job, *, config: EpisodeConfig, gateway: Gateway, watch: Callable[[Episode], None]) -> Trajectory:
    """One reply to a short prompt, graded here. Every group has members of both kinds, whatever they said."""
    assert job.model is not None
    session = gateway.open(job.model)
    session.reply([{"role": "user", "content": "even"}])
    gateway.forget(session)
    [call] = session.calls
    assert call.tokens is not None
    return trajectory(job, reward=float(2 * sum(id % 2 == 0 for id in call.tokens.sampled) > len(call.tokens.sampled)), calls=[call])


def trajectory(job: Job, *, reward: float | None, **more: Any) -> Trajectory:
    return Trajectory(
        id=f"{time.monotonic_ns()}",
        task=TaskRef(name=job.task.name, checksum=job.task.checksum),
        scaffold=job.scaffold.name,
        model=job.model_name,
        backend="none",
        started_at=datetime.now(UTC),
        outcome=Outcome(reward=reward),
        **{"stop_reason": StopReason.SUBMITTED, **more},
    )


class Records:
    """Keeps them."""

    def __init__(self) -> None:
        self.all: list[Record] = []

    def record(self, record: Record) -> None:
        self.all.append(record)

    def close(self) -> None:
        pass

    def of(self, kind: str) -> list[Record]:
        return [record for record in self.all if record.kind == kind]


def run(folder: Path, config: TrainConfig, roll: Any = roll, stop: threading.Event | None = None) -> tuple[Result, Records]:
    """A run in this process, or more of one."""
    records = Records()
    run = RunFolder(folder)
    with ExitStack() as ending:
        parts = ending.enter_context(assembled(config, run, told=lambda text: None, roll=roll))
        result = Loop(config, parts, [records, JsonLines(run.metrics)]).run(stop or threading.Event())
    return result, records
