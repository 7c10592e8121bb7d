"""A repair as a task folder in Harbor's format.

All of them have the same environment/Dockerfile, so thousands share one image: the broken file comes in with the
workdir of their one step. The agent is nobody and the verifier root, which is why the verifier can share its sandbox.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from agentgym.synthesis.repairs.family import Split
from agentgym.synthesis.repairs.repair import Repair
from agentgym.task import Task, TaskParts, write_task
from agentgym.toml import TaskConfig

SUITE = "repairs"
FILE = "repair.py"
"""The broken file, in WORKDIR."""
STEP = "repair"
SECRET = ("calls.txt", "wanted.txt")
"""Files of tests/ that the agent must not read, even while they are brought in: root's alone."""


def write_repair(repair: Repair, split: Split, folder: Path) -> Task:
    """Write a new task folder. Raises TaskError where something is there already."""
    home = f"steps/{STEP}"
    contents = {
        "environment/Dockerfile": _file("Dockerfile"),
        f"{home}/instruction.md": instruction(repair),
        f"{home}/workdir/{FILE}": repair.broken,
        f"{home}/workdir/check.py": check(repair),
        f"{home}/tests/test.sh": _file("test.sh"),
        f"{home}/tests/grade.py": _file("grade.py"),
        f"{home}/tests/calls.txt": "\n".join([repair.values["f"], *(repr(case.arguments) for case in repair.cases)]),
        f"{home}/tests/wanted.txt": "\n".join(case.wanted for case in repair.cases),
        f"{home}/solution/solve.sh": _file("solve.sh"),
        f"{home}/solution/{FILE}": repair.fixed,
    }
    parts = TaskParts(config(repair, split), "", {name: text.encode() for name, text in contents.items()})
    task = write_task(parts, folder)
    (folder / home / "workdir" / FILE).chmod(0o666)  # the upload is root's, the agent is nobody
    for name in SECRET:
        (folder / home / "tests" / name).chmod(0o600)
    return task


def instruction(repair: Repair) -> str:
    """What the agent is told."""
    return f"{repair.doc}\n"


def check(repair: Repair) -> str:
    """A program for the agent: the shortest call that the bug fails."""
    call, _, wanted = repair.example
    return _file("check.txt").replace('"CALL"', repr(call)).replace('"WANTED"', repr(wanted))


def config(repair: Repair, split: Split) -> TaskConfig:
    """task.toml of a repair."""
    name = f"{repair.template.name.replace('_', '-')}-{split}-{repair.seed}"
    return TaskConfig.model_validate(
        {
            "schema_version": "1.1",
            "task": {"name": f"agentgym/{name}", "description": "", "keywords": ["python"]},
            "metadata": {
                "difficulty": repair.difficulty,
                "category": "bug_fix",
                "template": repair.template.name,
                "bug": repair.bug.kind,
                "novelty": split.value,
                "agentgym": {
                    "suite": SUITE,
                    "split": "train" if split is Split.TRAIN else "heldout",
                    "kind": "bug_fix",
                    "grading": "shared",
                    "test_command": "python3 -B -S check.py",
                    "tools": ["bash", "submit"],
                },
            },
            "environment": {"cpus": 1, "memory_mb": 256, "storage_mb": 64, "network_mode": "no-network"},
            "agent": {"timeout_sec": 120.0, "user": "nobody"},
            "verifier": {"user": "root"},
            "steps": [{"name": STEP, "verifier": {"timeout_sec": 60.0}}],
        }
    )


def _file(name: str) -> str:
    return files(__package__).joinpath("files", name).read_text(encoding="utf-8")
