"""Where a run lies, and what a reader finds there. What is in the files is said by those who write them.

config.toml       as it was started
metrics.jsonl     records of the loop (`observe/`)
tensorboard/      the same, for TensorBoard
episodes.jsonl    some of the trajectories, for `agentgym view`
groups.jsonl      which groups each step trained on
states/000040/    what to go on from: weights, optimizer, loop; the last two
tokenizer/        where the run made its own
scratch/          tasks that are made on demand, while they are used
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from agentgym.store import TrajectoryStore
from agentgym.trajectory import Trajectory
from rl.errors import ConfigProblems, StateError


@dataclass(frozen=True)
class RunFolder:
    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.toml"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def episodes(self) -> Path:
        return self.path / "episodes.jsonl"

    @property
    def groups(self) -> Path:
        return self.path / "groups.jsonl"

    @property
    def states(self) -> Path:
        return self.path / "states"

    @property
    def tokenizer(self) -> Path:
        return self.path / "tokenizer"

    @property
    def scratch(self) -> Path:
        return self.path / "scratch"

    def create(self, config: Mapping[str, Any]) -> None:
        """With the config as plain data. ConfigProblems: there is something already; StateError: no room."""
        if self.path.exists():
            raise ConfigProblems([f"{self.path}: exists already; go on with --resume {self.path}, or name another"])
        try:
            self.path.mkdir(parents=True)
            self.config.write_text(tomli_w.dumps(config), encoding="utf-8")
        except OSError as error:
            raise StateError(f"{self.path}: cannot be written: {error.strerror}") from None

    def clear_scratch(self) -> None:
        """What a killed run left, too."""
        shutil.rmtree(self.scratch, ignore_errors=True)


class KeptEpisodes:
    """Some of the episodes, in a store; which, is luck."""

    def __init__(self, path: Path, *, share: float) -> None:
        self._store, self._share = TrajectoryStore(path), share

    def __call__(self, trajectory: Trajectory) -> None:
        """Raises OSError."""
        if random.Random(trajectory.id).random() < self._share:
            self._store.append(trajectory)
