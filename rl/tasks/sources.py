"""Where a run's tasks come from: folders that are there, or a family that makes one whenever it is asked.

A task follows from its candidate and a seed, always the same; which candidate is chosen is `curriculum.py`'s business.
Here nothing is rolled out and nothing is graded.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from agentgym.errors import TaskError, UsageError
from agentgym.nearest import nearest
from agentgym.synthesis.repairs.family import Split, make, templates
from agentgym.synthesis.repairs.folder import write_repair
from agentgym.synthesis.repairs.repair import Repair
from agentgym.task import Task, find_tasks
from rl.tasks.curriculum import Candidate

REPAIRS = "repairs"
_LEVELS = {"easy": 0, "medium": 1, "hard": 2}


class TaskSource(Protocol):
    name: str
    """As the config says it."""

    @property
    def candidates(self) -> Sequence[Candidate]:
        """What the curriculum chooses from."""
        ...

    def task(self, candidate: str, seed: int, scratch: Path) -> Task:
        """A task of that candidate; what is made for it lies in `scratch`. Raises TaskError."""
        ...

    def discard(self, task: Task) -> None:
        """It is not wanted any more."""
        ...

    def examples(self, n: int, seed: int, scratch: Path) -> list[Task]:
        """Up to n different ones, spread over the candidates."""
        ...

    def environments(self, scratch: Path) -> list[Task]:
        """One task for each image that its tasks need."""
        ...


def open_source(spec: str) -> TaskSource:
    """By its name in a config. Raises UsageError, TaskError."""
    kind, colon, split = spec.partition(":")
    if kind != REPAIRS or not colon:
        return FolderSource(spec)
    if split not in list(Split):
        known = ", ".join(Split)
        raise UsageError(f'found split "{split}", wanted one of {known}{nearest(split, Split, what="split")}')
    return RepairsSource(Split(split))


class RepairsSource:
    """The family of repairs; a candidate is one of its templates."""

    def __init__(self, split: Split) -> None:
        self.name = f"{REPAIRS}:{split}"
        self.split = split
        self._templates = {template.name: template for template in templates(split)}
        self.candidates = [Candidate(name, self.name) for name in self._templates]

    def repair(self, candidate: str, seed: int) -> Repair:
        return make(self._templates[candidate], self.split, seed)

    def task(self, candidate: str, seed: int, scratch: Path) -> Task:
        return write_repair(self.repair(candidate, seed), self.split, scratch / f"{self.split}-{candidate}-{seed}")

    def discard(self, task: Task) -> None:
        shutil.rmtree(task.path, ignore_errors=True)

    def examples(self, n: int, seed: int, scratch: Path) -> list[Task]:
        rng = random.Random(f"examples {seed}")
        names = rng.sample(list(self._templates), len(self._templates))
        return [self.task(names[i % len(names)], rng.getrandbits(31), scratch) for i in range(n)]

    def environments(self, scratch: Path) -> list[Task]:
        return [self.task(self.candidates[0].name, 0, scratch)]


class FolderSource:
    """Task folders; each is a candidate of its own, and its stated difficulty the level."""

    def __init__(self, pattern: str) -> None:
        """Raises UsageError: there are none; TaskError: one cannot be read."""
        self.name = pattern
        found = find_tasks(pattern)
        if not found:
            raise UsageError(f"found no task in {pattern}, wanted one or more")
        self._tasks = {task.name: task for task in found}
        self.candidates = [Candidate(task.name, pattern, _level(task)) for task in found]

    def task(self, candidate: str, seed: int, scratch: Path) -> Task:
        return self._tasks[candidate]

    def discard(self, task: Task) -> None:
        pass

    def examples(self, n: int, seed: int, scratch: Path) -> list[Task]:
        tasks = list(self._tasks.values())
        return random.Random(f"examples {seed}").sample(tasks, min(n, len(tasks)))

    def environments(self, scratch: Path) -> list[Task]:
        return list(self._tasks.values())


class TaskPool:
    """All the sources that a run trains on."""

    def __init__(self, sources: Sequence[TaskSource], scratch: Path) -> None:
        self._source_of = {candidate.name: source for source in sources for candidate in source.candidates}
        self.candidates = [candidate for source in sources for candidate in source.candidates]
        self._scratch = scratch
        if len(self._source_of) < len(self.candidates):
            raise TaskError("found a task in two of [tasks] train, wanted each in one")

    def task(self, candidate: str, seed: int) -> Task:
        """Raises TaskError."""
        return self._source_of[candidate].task(candidate, seed, self._scratch)

    def discard(self, candidate: str, task: Task) -> None:
        self._source_of[candidate].discard(task)


def _level(task: Task) -> int:
    return _LEVELS.get(str(task.metadata.get("difficulty", "")), 0)
