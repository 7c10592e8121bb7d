"""Tasks for tests: those of data/tasks, and variations of them made on the spot."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from agentgym.task import Task, load_task

TASKS = Path(__file__).parent / "data" / "tasks"


def vary(
    folder: Path, files: Mapping[str, str] | None = None, *, of: str = "greet", toml: str = "", grading: str = "diff"
) -> Task:
    """A copy of a task of data/tasks in `folder`, with these files over its own, and `toml` at the end of its task.toml
    (keys of its last table, then new tables)."""
    shutil.copytree(TASKS / of, folder)
    config = (folder / "task.toml").read_text().replace('grading = "diff"', f'grading = "{grading}"')
    (folder / "task.toml").write_text(config + toml)
    for name, content in (files or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return load_task(folder)
