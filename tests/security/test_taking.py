"""Attempts to get more across into the sandbox where the work is graded than the work: protected files, other names."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import pytest

from agentgym.protocols import Image, Sandbox
from agentgym.scoring import changes

DOCKERFILE = r"""FROM python:3.11-bookworm
WORKDIR /app
RUN mkdir -p src/pkg/tests docs && for f in src/pkg/a.py src/pkg/b.py src/pkg/tests/test_a.py docs/index.md; do \
    echo "old $f" > $f; done && ln -s src/pkg/tests link && ln -s docs manual && chmod 640 docs/index.md
"""
pytestmark = pytest.mark.security

PROTECTED = ("src/pkg/tests",)
Cross = Callable[[str], tuple[Sandbox, changes.Changes]]


@pytest.fixture
def agent(build: Callable[..., Image], make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return make_sandbox(image=build(DOCKERFILE))


@pytest.fixture
def cross(agent: Sandbox, make_sandbox: Callable[..., Sandbox]) -> Cross:
    """cross(command): run it where the agent works; the other sandbox, and what was taken to it."""

    def cross(command: str) -> tuple[Sandbox, changes.Changes]:
        result = agent.exec(command)
        assert result.exit_code == 0, result.stderr
        other = make_sandbox(image=agent.spec.image)
        taken = changes.take(agent, "/app", PROTECTED)
        changes.apply(other, "/app", taken)
        return other, taken

    return cross


def tree(sandbox: Sandbox) -> dict[str, str]:
    """Path below /app to its kind, mode, and contents or target."""
    said = sandbox.exec('find . -mindepth 1 -printf "%P\\0%y %m\\0%l\\0"').stdout.split("\0")[:-1]
    found = {}
    for name, kind, target in zip(said[::3], said[1::3], said[2::3], strict=True):
        rest = sandbox.read(f"/app/{name}").decode().strip() if kind[0] == "f" else target
        found[name] = f"{kind} {rest}".strip()
    return found


@pytest.mark.parametrize(
    "command",
    [
        "echo new > src/pkg/tests/test_a.py",
        "rm -r src/pkg/tests",
        "echo new > src/pkg/tests/test_b.py",
        "mv src/pkg src/other && sed -i s/old/new/ src/other/tests/test_a.py && ln -s other src/pkg",
        "mv src lib && sed -i s/old/new/ lib/pkg/tests/test_a.py && ln -s lib src",
    ],
    ids=["modified", "deleted", "added", "folder replaced", "folders replaced"],
)
def test_protected_files_are_never_the_agents(cross: Cross, command: str) -> None:
    """They are as the image has them, or gone with the folder that held them."""
    other, taken = cross(command)
    assert tree(other).get("src/pkg/tests/test_a.py") in ("f 644 old src/pkg/tests/test_a.py", None)
    assert other.exec("grep -rqs new src/pkg/tests").exit_code != 0
    assert taken.refused


@pytest.mark.parametrize(
    "name",
    ["conftest.py", "a/pytest.ini", "x/sitecustomize/__init__.py", "A.Dist-Info/RECORD", "setup.cfg", "pyproject.toml",
     "USERCUSTOMIZE.PY", "a/b/evil.pth", "pkg/tests/test_a.py"],
)  # fmt: skip
def test_names_that_stay_behind(name: str) -> None:
    assert changes.is_protected(name, ["pkg/tests"])


@pytest.mark.parametrize("name", ["conftest.py.md", "customize.py", "pkg/tests.py", "pytest/a.py", "dist-info"])
def test_names_that_do_not(name: str) -> None:
    assert not changes.is_protected(name, ["pkg/tests"])


LYING_TAR = b"""#!/bin/bash
cat > /dev/null
cat /app/lie.tar
"""


def test_an_archive_that_lies(cross: Cross, agent: Sandbox) -> None:
    """Of what the agent's own tar delivers only what is said to have changed goes on, as plain files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind, target in (
            ("src/pkg/a.py", tarfile.REGTYPE, ""),
            ("src/pkg/b.py", tarfile.FIFOTYPE, ""),
            ("src/pkg/tests/test_a.py", tarfile.REGTYPE, ""),
            ("conftest.py", tarfile.REGTYPE, ""),
            ("../up", tarfile.REGTYPE, ""),
            ("new", tarfile.SYMTYPE, "src/pkg/tests"),
            ("new/test_a.py", tarfile.REGTYPE, ""),
            ("loop", tarfile.LNKTYPE, "loop"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode, data = kind, target, 0o4777, b"new\n" * (kind == tarfile.REGTYPE)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    agent.write("/app/lie.tar", buffer.getvalue())
    agent.write("/app/lying", LYING_TAR, mode=0o755)
    other, taken = cross(
        "echo 1 > src/pkg/a.py; echo 1 > src/pkg/b.py; mkdir new; echo 1 > new/test_a.py; echo 1 > loop;"
        'tar=$(command -v tar); rm "$tar"; mv lying "$tar"'
    )
    assert sorted(taken.written) == ["new", "src/pkg/a.py"]
    found = tree(other)
    assert found["src/pkg/a.py"] == "f 755 new", "the setuid bit is gone"
    assert found["src/pkg/tests/test_a.py"] == "f 644 old src/pkg/tests/test_a.py"
    assert "conftest.py" not in found


def test_changes_behind_a_link_are_refused(agent: Sandbox) -> None:
    taken = changes.Changes(written=(), deleted=("link/test_a.py",), refused=(), archive=bytes(1024))
    with pytest.raises(changes.NotTaken, match="below link, which is a link"):
        changes.apply(agent, "/app", taken)
