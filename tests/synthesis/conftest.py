"""A small repository with a bug, its fix, and tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import git
import pytest

from agentgym.backends import make_backend
from agentgym.protocols import Backend
from tests.require import unavailable

BUG = "def mean(values):\n    return sum(values) / (len(values) + 1)\n\n\ndef double(value):\n    return 2 * value\n"
FIX = BUG.replace("(len(values) + 1)", "len(values)")
OLD_TESTS = "from calc import double\n\n\ndef test_double():\n    assert double(2) == 4\n"
NEW_TESTS = OLD_TESTS + "\n\ndef test_mean():\n    from calc import mean\n\n    assert mean([1, 3]) == 2\n"
START = {"calc/__init__.py": BUG, "tests/test_calc.py": OLD_TESTS, "README": "Calculates.\n"}
END = {"calc/__init__.py": FIX, "tests/test_calc.py": NEW_TESTS}

Commit = Callable[..., str]


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The repository's start, no git."""
    write(tmp_path / "calc", START)
    return tmp_path / "calc"


@pytest.fixture
def commit(folder: Path) -> Commit:
    """commit(files): write them into `folder`, make all of it one commit; its hash. The start is the first one."""
    author = git.Actor("Somebody", "somebody@localhost")

    def commit(files: dict[str, str | None]) -> str:
        with git.Repo.init(folder) as repository:
            for name, text in files.items():
                if text is None:
                    (folder / name).unlink()
                else:
                    write(folder, {name: text})
            repository.git.add(all=True)
            return repository.index.commit("work", author=author, committer=author).hexsha

    commit({})
    return commit


@pytest.fixture(scope="session")
def namespaces() -> Backend:
    backend = make_backend("namespaces")
    if failed := [f"{check.name}: {check.detail}" for check in backend.doctor() if not check.ok]:
        unavailable("namespaces", "; ".join(failed))
    return backend


class NoBackend:
    """For what needs none: every use of it is a failure."""

    name = "none"
