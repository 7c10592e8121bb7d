"""Deriving a task's required tests, in real sandboxes that need no network."""

from __future__ import annotations

import difflib
import json
import shutil
from importlib.metadata import files
from pathlib import Path

import pytest

from agentgym.entry import make_scaffold
from agentgym.env import EpisodeConfig
from agentgym.errors import TaskError
from agentgym.protocols import Backend
from agentgym.rollout import Job, rollout
from agentgym.synthesis.new import Patch, new_task
from agentgym.synthesis.origin import find_origin
from agentgym.synthesis.required import derive, split_patch
from agentgym.task import Task, load_task
from tests.synthesis.conftest import BUG, END, FIX, NEW_TESTS, OLD_TESTS, START, Commit, write

MEAN, DOUBLE = "tests/test_calc.py::test_mean", "tests/test_calc.py::test_double"


def diff(path: str, old: str, new: str) -> str:
    return "".join(difflib.unified_diff(old.splitlines(True), new.splitlines(True), f"a/{path}", f"b/{path}"))


def make(name: str, spec: str, backend: Backend, into: Path, patch: Patch) -> Task:
    """A new task whose image takes pytest from here instead of fetching it."""
    task = new_task(name, find_origin(spec, backend), into, kind="bug_fix", patch=patch)
    environment = task.path / "environment"
    for package in ("pytest", "pluggy", "iniconfig", "packaging", "pygments"):
        for file in files(package) or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                target = environment / "site" / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(str(file.locate())), target)
    dockerfile = (environment / "Dockerfile").read_text().splitlines()
    dockerfile[1:3] = ["COPY site /opt/site", "ENV PYTHONPATH=/opt/site"]
    kept = [line.replace("$(python -c", "$(python3 -c") for line in dockerfile if "testbed.pth" not in line]
    (environment / "Dockerfile").write_text("\n".join(kept) + "\n")
    return load_task(task.path)


def reward(task: Task, scaffold: str, backend: Backend) -> float | None:
    job = Job(load_task(task.path), make_scaffold(scaffold), None)
    trajectory = rollout(job, backend, config=EpisodeConfig())
    assert trajectory.error is None, trajectory.error
    return trajectory.reward


def listed(task: Task) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads((task.path / "tests/tests.json").read_text())
    return found


def test_from_a_fixing_commit(folder: Path, commit: Commit, namespaces: Backend, tmp_path: Path) -> None:
    task = make("a", f"{folder}@{commit(dict(END))}", namespaces, tmp_path / "local", "fix")
    required = derive(task, namespaces)
    assert (required.fail_to_pass, required.pass_to_pass) == ((MEAN,), (DOUBLE,))
    assert listed(task) == {"fail_to_pass": [MEAN], "pass_to_pass": [DOUBLE]}
    assert (reward(task, "oracle", namespaces), reward(task, "nop", namespaces)) == (1.0, 0.0)


def test_the_tests_in_a_fix_move(folder: Path, namespaces: Backend, tmp_path: Path) -> None:
    task = make("b", str(folder), namespaces, tmp_path / "local", "fix")
    fix = task.path / "solution/fix.patch"
    with pytest.raises(TaskError, match=r"fix\.patch: found the template as it was"):
        derive(task, namespaces)
    code, tests = diff("calc/__init__.py", BUG, FIX), diff("tests/test_calc.py", OLD_TESTS, NEW_TESTS)
    fix.write_text(tests)
    with pytest.raises(TaskError, match="found changes of tests alone, wanted the fix as well"):
        derive(task, namespaces)
    fix.write_text(code)
    with pytest.raises(TaskError, match="found no test that fails with the bug and passes with the fix"):
        derive(task, namespaces)
    fix.write_text(code.replace("sum(values)", "product(values)"))
    with pytest.raises(TaskError, match=r"solve\.sh ended with 1: .*FAILED"):
        derive(task, namespaces)
    fix.write_text(tests + code)
    assert derive(task, namespaces).fail_to_pass == (MEAN,)
    assert fix.read_text() == code
    assert (task.path / "tests/files/tests/test_calc.py").read_text() == NEW_TESTS


def test_of_a_bug_the_fix_is_derived_and_what_shows_it_is_hidden(
    folder: Path, namespaces: Backend, tmp_path: Path
) -> None:
    other = "def test_sound():\n    assert True\n\n\ndef test_broken():\n    assert False\n"
    write(folder, {**START, **END, "tests/test_other.py": other})
    task = make("c", str(folder), namespaces, tmp_path / "local", "bug")
    (task.path / "environment/bug.patch").write_text(diff("calc/__init__.py", FIX, BUG))
    required = derive(task, namespaces)
    assert required.fail_to_pass == (MEAN,)
    assert required.fail_to_fail == ("tests/test_other.py::test_broken",)
    assert required.hidden == ("tests/test_calc.py",)
    assert (task.path / "environment/hidden.txt").read_text() == "tests/test_calc.py\n"
    assert "+    return sum(values) / len(values)" in (task.path / "solution/fix.patch").read_text()
    assert listed(task)["pass_to_pass"] == [DOUBLE, "tests/test_other.py::test_sound"]
    assert derive(task, namespaces).fail_to_pass == (MEAN,)
    assert (reward(task, "oracle", namespaces), reward(task, "nop", namespaces)) == (1.0, 0.0)


def test_splitting_a_patch() -> None:
    first = (
        b"diff --git a/a.sql b/a.sql\nindex 1..2 100644\n--- a/a.sql\n+++ b/a.sql\n@@ -1,2 +1,2 @@\n"
        b"--- a comment\n+++ another\n x\n"  # a removed and an added line that look like a head
    )
    new = b"diff --git a/tests/n.py b/tests/n.py\nnew file mode 100644\n--- /dev/null\n+++ b/tests/n.py\n@@ -0,0 +1 @@\n+y\n"
    gone = b"--- a/old.py\t2020-01-01\n+++ /dev/null\n@@ -1 +0,0 @@\n-z\n\\ No newline at end of file\n"
    plain = b"--- a/p.py\n+++ b/p.py\n@@ -1,3 +1,2 @@\n q\n-r\n\n@@ -9 +8 @@\n-s\n+t\n"
    split = split_patch(b"From: me\n\n" + first + new + gone + plain)
    assert split == [("a.sql", first), ("tests/n.py", new), ("old.py", gone), ("p.py", plain)]
    assert split_patch(b"no patch at all\n") == []
