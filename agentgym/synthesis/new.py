"""A new task's folder: everything but the two files that only its author can write, instruction.md and a patch.

The patch is either the fix (solution/fix.patch, where the source has the bug) or the bug (environment/bug.patch, where
the source is sound). From a commit that fixes something even the patch is there. Which tests grade it is found out by
running them: see required.py.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path, PurePosixPath
from string import Template
from typing import Literal

from agentgym.errors import UsageError
from agentgym.synthesis.origin import Origin, is_test
from agentgym.task import Task, TaskParts, write_task
from agentgym.toml import TaskConfig

KINDS = ("bug_fix", "feature", "performance")
"""Those whose tests are run by templates/test.sh."""
Patch = Literal["fix", "bug"]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_EXTRAS = ("test", "tests", "testing")
_BUG_STEPS = """COPY bug.patch hidden.txt /tmp/
RUN patch -p1 < /tmp/bug.patch && xargs -r -d '\\n' rm -f < /tmp/hidden.txt && rm -f /tmp/bug.patch /tmp/hidden.txt
"""


def template(name: str) -> str:
    """A file of templates/."""
    return files("agentgym").joinpath("templates", name).read_text(encoding="utf-8")


def refuse_request(name: str, into: Path, kind: str) -> None:
    """What can be said against a new task before its source is read. Raises UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(f'found the name "{name}", wanted small letters, digits, ".", "_" and "-", such as a-b-2')
    if kind not in KINDS:
        raise UsageError(f'--kind: found "{kind}", wanted {", ".join(KINDS)}; other kinds are written by hand')
    if (into / name).exists():
        raise UsageError(f"{into / name}: found something there already, wanted a new name")


def new_task(name: str, origin: Origin, into: Path, *, kind: str, patch: Patch, licence: str = "") -> Task:
    """Write `into`/`name`. Raises UsageError, in which case nothing is left there."""
    refuse_request(name, into, kind)
    if origin.fix and patch == "bug":
        raise UsageError("--patch bug: found a commit that brings its fix, wanted a source without one")
    config = TaskConfig.model_validate(
        {
            "task": {"name": f"agentgym/{name}", "description": "", "keywords": ["python"]},
            "metadata": {
                "difficulty": "medium",
                "category": kind,
                "agentgym": {
                    "suite": into.name,
                    "split": "train",
                    "kind": kind,
                    "grading": "diff",
                    "protected": list(tops([*origin.files, *origin.tests])),
                    "test_command": _test_command(origin.files),
                    "source": origin.source.model_dump(exclude_none=True),
                    "licence": licence,
                },
            },
            "environment": {
                "build_timeout_sec": 600.0,
                "cpus": 1,
                "memory_mb": 2048,
                "storage_mb": 2048,
                "network_mode": "no-network",
            },
            "agent": {"timeout_sec": 1800.0},
            "verifier": {"timeout_sec": 300.0},
        }
    )
    contents = {
        "environment/Dockerfile": dockerfile(origin, patch),
        "solution/solve.sh": template("new/solve.sh"),
        "solution/fix.patch": template("new/fix.patch"),
        "tests/test.sh": template("test.sh"),
        "tests/tests.json": json.dumps({"fail_to_pass": [], "pass_to_pass": []}, indent=2) + "\n",
    }
    if patch == "bug":
        del contents["solution/fix.patch"]  # derived from the other
        contents |= {"environment/bug.patch": template("new/bug.patch"), "environment/hidden.txt": ""}
    data = {path: text.encode() for path, text in contents.items()}
    if origin.fix:
        data["solution/fix.patch"] = origin.fix
    data |= {f"environment/{path}": content for path, content in origin.context.items()}
    data |= {f"tests/files/{path}": content for path, content in origin.tests.items()}
    return write_task(TaskParts(config, template("new/instruction.md"), data), into / name)


def tops(paths: Iterable[str]) -> tuple[str, ...]:
    """What holds the tests: their topmost folders, and the test files that lie in none."""
    found = set()
    for path in filter(is_test, paths):
        folders = PurePosixPath(path).parts[:-1]
        depth = next((n for n, folder in enumerate(folders, 1) if folder in ("test", "tests", "testing")), None)
        found.add(path if depth is None else "/".join(folders[:depth]))
    return tuple(sorted(found))


def _test_command(paths: Iterable[str]) -> str:
    return " ".join(["python -m pytest -q", *(top for top in tops(paths) if not top.endswith("conftest.py"))])


def dockerfile(origin: Origin, patch: Patch) -> str:
    return Template(template("new/Dockerfile")).substitute(
        source=origin.dockerfile, bug=_BUG_STEPS if patch == "bug" else "", install=_install(origin)
    )


def _install(origin: Origin) -> str:
    """An editable install with the extra for tests, or, of what is no package, a line on sys.path."""
    if not {"pyproject.toml", "setup.py"}.intersection(origin.settings):
        root = "/testbed/src" if any(path.startswith("src/") for path in origin.files) else "/testbed"
        return f"RUN echo {root} > \"$(python -c 'import site; print(site.getsitepackages()[0])')/testbed.pth\""
    try:
        project = tomllib.loads(origin.settings.get("pyproject.toml", "")).get("project", {})
    except tomllib.TOMLDecodeError:
        project = {}
    extra = next((name for name in _EXTRAS if name in project.get("optional-dependencies", {})), "")
    # versions that are read from tags: there are none here
    asks_git = re.search(r"setuptools[_-]scm|hatch-vcs|versioningit|pdm.*scm", "".join(origin.settings.values()))
    version = origin.source.version or "0.0.0"
    stated = f"SETUPTOOLS_SCM_PRETEND_VERSION={version} PDM_BUILD_SCM_VERSION={version} " if asks_git else ""
    return f"RUN {stated}pip install --no-cache-dir -e '.{f'[{extra}]' if extra else ''}'"
