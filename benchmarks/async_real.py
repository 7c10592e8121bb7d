"""The training loop itself under the orders of its scheduler: a real small model, and episodes with a heavy tail.

Everything is real but for two things. After its grading each episode sleeps for as long as a slow test suite might
take: a lognormal of sigma 1.2, the same for the same episode whatever the order. And rewards alternate within a group,
so that every group trains and all orders train on as much. The policy begins with fresh weights; what it learns is
beside the point.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentgym.backends import build_image, make_backend
from agentgym.env import Episode, EpisodeConfig
from agentgym.gateway import Gateway
from agentgym.protocols import Backend
from agentgym.rollout import Job, rollout
from agentgym.synthesis.repairs.family import Split, sample
from agentgym.synthesis.repairs.folder import write_repair
from agentgym.trajectory import Outcome, Trajectory
from benchmarks.report import Row, higher
from rl.assembly import assembled
from rl.config import ModelConfig, RolloutsConfig, RunConfig, TasksConfig, TrainConfig
from rl.learner.optimizer import OptimizerConfig
from rl.learner.trainer import TrainerConfig
from rl.loop import Loop
from rl.observe.record import Record
from rl.rollout.roller import Roll
from rl.run_folder import RunFolder
from rl.scheduling.scheduler import SchedulerConfig

GROUPS = 8
"""Of a batch, and at once: as many as a synchronous batch can use."""
GROUP_SIZE = 4
SIGMA, LONGEST_S = 1.2, 30.0
WANTED_RATIO = 2.5
WARM_STEPS = 2
"""Before anything is counted: the queue fills, kernels are compiled."""
BOOKKEEPING_AT_MOST = 0.01


@dataclass
class Steps:
    """An observer of what steps told."""

    records: list[Record] = field(default_factory=list)

    def record(self, record: Record) -> None:
        if record.kind == "step":
            self.records.append(record)

    def close(self) -> None:
        pass

    @property
    def groups_per_min(self) -> float:
        counted = self.records[WARM_STEPS - 1 :]
        took = counted[-1].at - counted[0].at
        return 60 * GROUPS * (len(counted) - 1) / took.total_seconds()

    def mean(self, name: str) -> float:
        return statistics.fmean(record.metrics[name] for record in self.records[WARM_STEPS:])

    @property
    def bookkeeping(self) -> float:
        """Part of the time between two steps."""
        times = ("fetch", "train", "publish", "heldout", "bookkeeping")
        return self.mean("time/bookkeeping_s") / sum(self.mean(f"time/{name}_s") for name in times)

    @property
    def staleness_max(self) -> float:
        return max(record.metrics["lag/versions_max"] for record in self.records)

    def told(self) -> str:
        trainer, rollouts = self.mean("idle/trainer"), self.mean("idle/rollouts")
        return (
            f"idle: trainer {trainer:.0%}, rollouts {rollouts:.0%}; staleness up to {self.staleness_max:.0f} versions"
        )


def real(n_steps: int, *, median_s: float) -> Iterator[Row]:
    """median_s: of the sleep that follows an episode."""
    backend = make_backend("namespaces")
    roll = _slow(backend, median_s)
    with tempfile.TemporaryDirectory() as folder:
        task = write_repair(sample(Split.TRAIN, random.Random(0)), Split.TRAIN, Path(folder) / "task")
        build_image(task, backend)
        sync = trained(n_steps, Path(folder) / "sync", roll, order="sync")
        windowed = trained(n_steps, Path(folder) / "windowed", roll, span=4 * GROUPS)
        greedy = trained(n_steps, Path(folder) / "greedy", roll, order="greedy")
    yield higher(
        "real loop: windowed FIFO, N = 4 C, W = 0.3 N", windowed.groups_per_min, "groups/min", peer="sync",
        peer_value=sync.groups_per_min, bound=f"greedy reaches {greedy.groups_per_min:.3g}; {windowed.told()}",
        ratio_at_least=WANTED_RATIO,
    )  # fmt: skip
    yield Row("real loop: greedy", greedy.groups_per_min, "groups/min", bound=greedy.told())
    yield Row("real loop: sync", sync.groups_per_min, "groups/min", bound=sync.told())
    share = windowed.bookkeeping
    yield Row(
        "real loop: bookkeeping, scheduler included", 100 * share, "% of a step", bound="all but waiting and training",
        target=f"<= {100 * BOOKKEEPING_AT_MOST:g} %", met=share <= BOOKKEEPING_AT_MOST,
    )  # fmt: skip


def trained(n_steps: int, folder: Path, roll: Roll, **order: Any) -> Steps:
    config = TrainConfig(
        run=RunConfig(steps=n_steps, save_every_steps=10**6, keep_episodes_share=0.0),
        model=ModelConfig(max_tokens=24),
        tasks=TasksConfig(train=("repairs:train",)),
        rollouts=RolloutsConfig(group_size=GROUP_SIZE, parallel=GROUPS * GROUP_SIZE),
        scheduler=SchedulerConfig(batch_groups=GROUPS, concurrency=GROUPS, **order),
        # as in the quickstart: no prompt is longer than the blocks that MSA chooses
        trainer=TrainerConfig(optimizer=OptimizerConfig(learning_rate=1e-4), index_loss_coeff=0.0),
    )
    steps = Steps()
    with assembled(config, RunFolder(folder), told=print, roll=roll) as parts:
        Loop(config, parts, [steps]).run(threading.Event())
    return steps


def _slow(backend: Backend, median_s: float) -> Roll:
    def roll(job: Job, *, config: EpisodeConfig, gateway: Gateway, watch: Callable[[Episode], None]) -> Trajectory:
        trajectory = rollout(job, backend, config=config, gateway=gateway, watch=watch)
        luck = random.Random(f"{job.task.name} {job.attempt}")
        time.sleep(min(median_s * luck.lognormvariate(0.0, SIGMA), LONGEST_S))
        return trajectory.model_copy(update={"outcome": Outcome(reward=float(job.attempt % 2))})

    return roll
