"""Every repo task is admitted, on both backends. Builds every image: minutes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentgym.admission import admit
from agentgym.protocols import Backend
from agentgym.task import Task, find_tasks

REPOS = Path(__file__).parents[2] / "tasks" / "repos"


@pytest.mark.admission
@pytest.mark.parametrize("task", find_tasks(REPOS), ids=lambda task: task.name)
def test_admitted(backend: Backend, task: Task) -> None:
    with ThreadPoolExecutor(1) as rollouts:
        admission = admit(task, backend, rollouts)
    assert admission.verdict == "admitted", [finding for finding in admission.findings if finding.status != "ok"]


def test_there_are_enough() -> None:
    tasks = find_tasks(REPOS)
    assert len(tasks) >= 24
    packages = {task.gym.source.package for task in tasks if task.gym.source}
    assert len(packages) >= 12
    assert {task.gym.kind for task in tasks} == {"bug_fix", "feature", "write_test", "performance"}
    heldout = {task.gym.source.package for task in tasks if task.gym.source and task.gym.split == "heldout"}
    assert heldout.isdisjoint(
        task.gym.source.package for task in tasks if task.gym.source and task.gym.split == "train"
    )
