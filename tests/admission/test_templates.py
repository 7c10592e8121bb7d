"""The graders that tasks carry are copies: each has one home."""

from __future__ import annotations

from pathlib import Path

from agentgym.admission.probes import TEMPLATES
from agentgym.task import find_tasks

ROOT = Path(__file__).parents[2]


def test_every_repo_task_carries_its_template() -> None:
    for task in find_tasks(str(ROOT / "tasks" / "repos")):
        template = "write_test.sh" if task.gym.kind == "write_test" else "test.sh"
        assert task.tests_dir is not None
        same = (task.tests_dir / "test.sh").read_bytes() == (TEMPLATES / template).read_bytes()
        assert same, f"{task.name}: tests/test.sh differs from agentgym/templates/{template}; copy it anew"
