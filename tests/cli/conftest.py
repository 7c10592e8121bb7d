"""Tiny tasks, and the command line run as a person would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgym.backends import make_backend
from tests.require import unavailable

TASK_TOML = """
[task]
name = "local/{name}"
description = "Write the right word into a file."
[metadata]
difficulty = "easy"
[metadata.agentgym]
suite = "tiny"
kind = "{kind}"
grading = "diff"
test_command = "grep right answer.txt"
[environment]
memory_mb = 256
storage_mb = 64
network_mode = "no-network"
"""
TEST = """#!/bin/bash
if grep -q right answer.txt; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
"""

MakeTask = Callable[..., Path]
Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def make_task(tmp_path: Path) -> MakeTask:
    """make_task(name, **{file: content}): a task below tmp_path/tasks/tiny; solved when answer.txt says "right"."""

    def make(name: str = "fix-answer", kind: str = "bug_fix", **changed: str) -> Path:
        folder = tmp_path / "tasks" / "tiny" / name
        files = {
            "task.toml": TASK_TOML.format(name=name, kind=kind),
            "instruction.md": "# Answer\n\nMake `answer.txt` say right.\n",
            "environment/Dockerfile": "FROM python:3.11-bookworm\nWORKDIR /app\nRUN echo wrong > answer.txt\n",
            "tests/test.sh": TEST,
            "solution/solve.sh": "#!/bin/bash\necho right > answer.txt\n",
            **changed,
        }
        for path, content in files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        return folder

    return make


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "agentgym", *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONWARNINGS": "error", "COLUMNS": "100"}


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """cli(*arguments, stdin=""): run in tmp_path, its two streams captured apart."""

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments),
            input=stdin,
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture(scope="session", params=["namespaces", pytest.param("docker", marks=pytest.mark.docker)])
def sandbox(request: pytest.FixtureRequest) -> str:
    """The name of each backend that works here."""
    if failed := [f"{check.name}: {check.detail}" for check in make_backend(request.param).doctor() if not check.ok]:
        unavailable(request.param, "; ".join(failed))
    return str(request.param)


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., str]:
    """script(*commands, name=…): the spec of a scripted model that gives these to the bash scaffold, one a turn."""

    def write(*commands: str, name: str = "scripted") -> str:
        file = tmp_path / f"{name}.toml"
        replies = [f'[[replies]]\ncontent = """\n```bash\n{line}\n```\n"""\n' for line in commands]
        file.write_text(f'name = "{name}"\n' + "".join(replies))
        return f"scripted:{file}"

    return write
