"""The folder of a new task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentgym.errors import UsageError
from agentgym.synthesis.new import dockerfile, new_task, tops
from agentgym.synthesis.origin import Origin, find_origin
from agentgym.task import Source
from tests.synthesis.conftest import END, Commit, NoBackend

NONE: Any = NoBackend()


def origin(**settings: str) -> Origin:
    files = ("src/calc.py", "tests/test_calc.py", *settings)
    return Origin(Source(path="environment/source.tar.gz"), "ADD source.tar.gz ./\n", files, settings)


def test_from_a_folder_two_files_are_left_to_write(folder: Path, tmp_path: Path) -> None:
    task = new_task(
        "mean", find_origin(str(folder), NONE), tmp_path / "local", kind="feature", patch="fix", licence="MIT"
    )
    assert task.path == tmp_path / "local" / "mean"
    assert sorted(file.relative_to(task.path).as_posix() for file in task.path.rglob("*") if file.is_file()) == [
        "environment/Dockerfile", "environment/source.tar.gz", "instruction.md", "solution/fix.patch",
        "solution/solve.sh", "task.toml", "tests/test.sh", "tests/tests.json",
    ]  # fmt: skip
    gym = task.gym
    assert (gym.suite, gym.kind, gym.grading, gym.protected, gym.licence) == (
        "local",
        "feature",
        "diff",
        ("tests",),
        "MIT",
    )
    assert gym.test_command == "python -m pytest -q tests"
    assert (task.name, task.unknown_keys) == ("mean", ())
    template = Path(__file__).parents[2] / "agentgym/templates/test.sh"
    assert (task.path / "tests/test.sh").read_bytes() == template.read_bytes()


def test_from_a_fixing_commit_only_the_instruction_is(folder: Path, commit: Commit, tmp_path: Path) -> None:
    fixing = commit(dict(END))
    task = new_task("mean", find_origin(f"{folder}@{fixing}", NONE), tmp_path / "local", kind="bug_fix", patch="fix")
    assert "+    return sum(values) / len(values)" in (task.path / "solution/fix.patch").read_text()
    assert (task.path / "tests/files/tests/test_calc.py").read_text() == END["tests/test_calc.py"]


def test_of_a_sound_source_the_bug_is_written(folder: Path, tmp_path: Path) -> None:
    task = new_task("mean", find_origin(str(folder), NONE), tmp_path / "local", kind="bug_fix", patch="bug")
    assert not (task.path / "solution/fix.patch").exists()
    assert (task.path / "environment/hidden.txt").read_text() == ""
    assert "RUN patch -p1 < /tmp/bug.patch" in (task.path / "environment/Dockerfile").read_text()


def test_refused_nothing_is_written(folder: Path, commit: Commit, tmp_path: Path) -> None:
    fixing = find_origin(f"{folder}@{commit(dict(END))}", NONE)
    for arguments, said in (
        ({"name": "No!"}, 'found the name "No!"'),
        ({"kind": "write_test"}, "other kinds are written by hand"),
        ({"patch": "bug"}, "found a commit that brings its fix"),
    ):
        stated: dict[str, Any] = {"name": "mean", "kind": "bug_fix", "patch": "fix", **arguments}
        with pytest.raises(UsageError, match=said):
            new_task(stated.pop("name"), fixing, tmp_path / "local", **stated)
    assert not (tmp_path / "local").exists()


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, "RUN echo /testbed/src > \"$(python -c 'import site; print(site.getsitepackages()[0])')/testbed.pth\""),
        ({"setup.py": "setup()"}, "RUN pip install --no-cache-dir -e '.'"),
        (
            {"pyproject.toml": "[project.optional-dependencies]\ndocs = []\ntests = ['attrs']\n"},
            "RUN pip install --no-cache-dir -e '.[tests]'",
        ),
        (
            {"pyproject.toml": "[build-system]\nrequires = ['hatch-vcs']\n"},
            "RUN SETUPTOOLS_SCM_PRETEND_VERSION=0.0.0 PDM_BUILD_SCM_VERSION=0.0.0 pip install --no-cache-dir -e '.'",
        ),
        ({"pyproject.toml": "not [toml"}, "RUN pip install --no-cache-dir -e '.'"),
    ],
)
def test_how_the_source_is_installed(settings: dict[str, str], line: str) -> None:
    assert line in dockerfile(origin(**settings), "fix").splitlines()


def test_what_holds_the_tests() -> None:
    paths = [
        "tests/a/test_x.py",
        "tests/conftest.py",
        "src/p/testing/b.py",
        "src/p/test_c.py",
        "conftest.py",
        "src/p/d.py",
    ]
    assert tops(paths) == ("conftest.py", "src/p/test_c.py", "src/p/testing", "tests")
