"""What a suite of tasks with checklists has: how much of everything. It runs nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from agentgym.scoring.checklist import Checklist
from agentgym.scoring.score import decided_by
from agentgym.task import Task


class Stats(BaseModel):
    """Counts of a suite."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environments: int
    """Different environment/ folders, or images."""
    tasks: int
    items: int
    items_per_task: float
    program_share: float
    """Of the items, decided by programs."""
    by_source: dict[str, int]
    """Items."""
    tasks_by_source: dict[str, int]
    """Tasks with an item of the source."""
    by_kind: dict[str, int]
    by_severity: dict[str, int]
    by_persistence: dict[str, int]
    conflict_tasks: int
    """Tasks in which one source asks for the opposite of what another does."""
    conflicts: dict[str, int]
    """Tasks, by who should win and against whom."""
    multi_turn_tasks: int
    long_tasks: int
    """Tasks with an item that has to hold after compaction."""
    splits: dict[str, int]


def stats(suite: Sequence[tuple[Task, Checklist]]) -> Stats:
    """Of tasks, each with its checklist."""
    items = [item for _, checklist in suite for item in checklist.items]
    conflicts = [
        {f"{item.source} over {item.against}" for item in checklist.items if item.against} for _, checklist in suite
    ]
    return Stats(
        environments=len({_environment(task) for task, _ in suite}),
        tasks=len(suite),
        items=len(items),
        items_per_task=round(len(items) / len(suite), 2) if suite else 0.0,
        program_share=round(sum(item.check is not None for item in items) / len(items), 4) if items else 0.0,
        by_source=_counts([item.source for item in items]),
        tasks_by_source=_counts([s for _, checklist in suite for s in {item.source for item in checklist.items}]),
        by_kind=_counts([decided_by(item) for item in items]),
        by_severity=_counts([item.severity for item in items]),
        by_persistence=_counts([item.persistence for item in items]),
        conflict_tasks=sum(bool(found) for found in conflicts),
        conflicts=_counts([conflict for found in conflicts for conflict in found]),
        multi_turn_tasks=sum(len(task.steps) > 1 for task, _ in suite),
        long_tasks=sum(any(_survives_compaction(item.data()) for item in checklist.items) for _, checklist in suite),
        splits=_counts([task.gym.split for task, _ in suite]),
    )


def _counts(names: Sequence[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())


def _environment(task: Task) -> str:
    """What the image is made of."""
    if task.environment_dir is None:
        return task.config.environment.docker_image or ""
    files = sorted(path for path in task.environment_dir.rglob("*") if path.is_file())
    return json.dumps([(path.name, path.read_bytes().hex()) for path in files])


def _survives_compaction(data: object) -> bool:
    return '"after_compaction"' in json.dumps(data, default=str)
