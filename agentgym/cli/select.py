"""Tasks by what the user types: names, folders, globs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentgym.errors import UsageError

if TYPE_CHECKING:
    from agentgym.task import Task

ROOT = Path("tasks")
"""Where tasks are looked up by name."""


def select(patterns: Sequence[str]) -> list[Task]:
    """`find_tasks`, with a hint where there is no folder of tasks at all."""
    from agentgym.task import find_tasks

    _expect_tasks(patterns)
    return find_tasks(*patterns, root=ROOT)


def select_folders(patterns: Sequence[str]) -> list[Path]:
    from agentgym.task import find_folders

    _expect_tasks(patterns)
    return find_folders(*patterns, root=ROOT)


def _expect_tasks(patterns: Sequence[str]) -> None:
    if list(patterns) == [str(ROOT)] and not ROOT.is_dir():
        raise UsageError("found no folder tasks/ here, wanted one; name a folder of tasks, or make a task with "
                         "`agentgym tasks new`")  # fmt: skip


def one(pattern: str) -> Task:
    """The one task that `pattern` names."""
    found = select([pattern])
    if len(found) > 1:
        names = ", ".join(task.name for task in found[:3]) + (", …" if len(found) > 3 else "")
        raise UsageError(f'found {len(found)} tasks for "{pattern}" ({names}), wanted one')
    return found[0]
