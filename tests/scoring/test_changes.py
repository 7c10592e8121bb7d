"""What crosses from the agent's sandbox into a fresh one, and what does not."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgym.protocols import Backend, Image, Limits, Sandbox
from agentgym.scoring import changes

SETUP = """
set -e
echo one > text; printf 'no newline' > cut; echo '#!/bin/sh' > run.sh; chmod 755 run.sh; : > empty
head -c 3000 /dev/urandom > binary; ln -s text link; mkdir -p folder/deep gone/deep; echo x > folder/file
echo y > folder/deep/file; echo z > gone/deep/file; echo s > 'with space'; echo u > 'ünï→🎉'; echo q > 'q"u\\ote'
echo p > pyproject.toml; mkdir tests; echo t > tests/test_a.py
"""
DOCKERFILE = "FROM python:3.11-bookworm\nWORKDIR /app\nCOPY setup.sh /setup.sh\nRUN bash /setup.sh\n"
LIST = r"find . -printf '%y %m %l %P\n' | sort; find . -type f -exec sha256sum {} + | sort -k2"
"""All that the files are, but their times and their owners."""


@pytest.fixture
def files(build: Callable[..., Image]) -> Image:
    return build(DOCKERFILE, {"setup.sh": SETUP})


def carried(
    make_sandbox: Callable[..., Sandbox], files: Image, script: str, protected: tuple[str, ...] = ()
) -> tuple[Sandbox, Sandbox, changes.Changes]:
    """The sandbox where the script ran, a fresh one with its changes, and these."""
    agent, fresh = make_sandbox(image=files), make_sandbox(image=files)
    result = agent.exec(script)
    assert result.exit_code == 0, result.stderr
    taken = changes.take(agent, "/app", protected)
    changes.apply(fresh, "/app", taken)
    return agent, fresh, taken


@pytest.mark.parametrize(
    "script",
    [
        "true",
        "echo two > text; printf more >> cut; echo new > new; mkdir -p a/b/c; echo deep > a/b/c/d",
        "rm text link; rm -r gone; rmdir folder/deep 2>/dev/null || rm -r folder/deep",
        "head -c 100000 /dev/urandom > binary; printf '\\0\\1' > small; : > none; : > text",
        "ln -sf cut link; ln -s /etc/passwd abroad; ln -s nowhere/at/all dangling; ln -s . round; ln -s ../.. up",
        "rm -r folder; echo file > folder; rm text; mkdir text; echo in > text/file",
        "rm text; ln -s cut text; rm link; echo file > link; rm -r gone; ln -s folder gone; rm empty; mkdir empty",
        "chmod 755 text; chmod 644 run.sh; echo '#!' > tool; chmod 755 tool",
        "echo 1 > 'with space'; rm 'ünï→🎉'; echo 2 > 'q\"u\\ote'; echo 3 > $'new\\nline'; echo 4 > $'t\\tab'; echo 5 > ' '",
        "echo 1 > -rf; echo 2 > --help; mkdir -- -x; echo 3 > -x/-y; echo 4 > '*'; echo 5 > '$HOME'; echo 6 > @file",
        "echo h > hard; ln hard hard2; ln hard folder/hard3; ln text text2",
        "mkdir new-folder; mkdir -p other/deeper; touch -d 2001-01-01 old; mv folder moved; mv cut renamed",
    ],
    ids=[
        "nothing", "text", "deletions", "binary", "links", "file and folder", "kinds", "modes", "names", "option-like names",
        "hard links", "moved",
    ],
)  # fmt: skip
def test_the_fresh_sandbox_is_as_the_agents(make_sandbox: Callable[..., Sandbox], files: Image, script: str) -> None:
    agent, fresh, taken = carried(make_sandbox, files, script)
    assert taken.refused == ()
    assert fresh.exec(LIST).stdout == agent.exec(LIST).stdout


def test_a_name_that_is_no_unicode(make_sandbox: Callable[..., Sandbox], files: Image) -> None:
    """It may be left behind, but the rest is taken, and nobody is told of a broken sandbox."""
    agent, fresh = make_sandbox(image=files), make_sandbox(image=files)
    agent.exec("echo x > $'caf\\xe9'; echo two > text")
    taken = changes.take(agent, "/app")
    patch = changes.patch(changes.apply(fresh, "/app", taken), taken)
    assert fresh.read("/app/text") == b"two\n"
    assert patch.encode()


def test_modes_are_those_git_keeps(make_sandbox: Callable[..., Sandbox], files: Image) -> None:
    _, fresh, _ = carried(make_sandbox, files, "echo x > a; chmod 4711 a; echo x > b; chmod 600 b; mkdir -m 700 c")
    assert fresh.exec("stat -c %a a b c").stdout.split() == ["755", "644", "755"]
    assert fresh.exec("stat -c %U a b c").stdout.split() == ["root"] * 3


def test_protected_files_stay(make_sandbox: Callable[..., Sandbox], files: Image) -> None:
    script = """
    echo tampered | tee pyproject.toml tests/test_a.py tests/new.py folder/conftest.py setup.cfg PyTest.INI sitecustomize.py
    mkdir -p x.dist-info tests/deep; echo bad | tee x.dist-info/entry_points.txt tests/deep/file evil.pth; echo fine > fine
    """
    agent, fresh, taken = carried(make_sandbox, files, script, ("tests", "cut"))
    agent.exec("rm -r tests cut")
    later = changes.take(agent, "/app", ("tests", "cut"))
    changes.apply(fresh, "/app", later)
    assert fresh.exec("cat pyproject.toml tests/test_a.py cut fine").stdout == "p\nt\nno newlinefine\n"
    assert fresh.exec("ls -A tests").stdout == "test_a.py\n"
    assert fresh.exec("find . -iname '*conftest*' -o -iname '*.ini' -o -name '*.pth' -o -name '*.cfg'").stdout == ""
    assert {"pyproject.toml", "tests/test_a.py", "tests/new.py", "folder/conftest.py", "evil.pth"} <= {*taken.refused}
    assert {"tests/test_a.py", "cut"} <= {*later.refused}
    assert "fine" in taken.written


def test_a_protected_folder_is_not_replaced(make_sandbox: Callable[..., Sandbox], files: Image) -> None:
    script = "rm -r folder; ln -s /tmp folder; rm -r tests; echo file > tests"
    _, fresh, taken = carried(make_sandbox, files, script, ("folder/deep/file", "tests"))
    assert fresh.exec("cat folder/deep/file tests/test_a.py").stdout == "y\nt\n"
    assert {"folder", "tests"} <= {*taken.refused}


def test_nothing_outside_and_nothing_ignored(make_sandbox: Callable[..., Sandbox], files: Image) -> None:
    script = """
    echo x > /etc/motd; echo x > /root/x; mkdir -p .git/hooks __pycache__ a/__pycache__ .pytest_cache; echo x > .git/hooks/y
    echo x > __pycache__/z.pyc; echo x > a/b.pyc; echo kept > a/kept
    """
    _, fresh, taken = carried(make_sandbox, files, script)
    assert {*taken.written} == {"a", "a/kept"}
    assert fresh.exec("ls -A /root/x .git a/b.pyc __pycache__").exit_code == 2


def test_no_changes(make_sandbox: Callable[..., Sandbox], files: Image) -> None:
    agent, fresh = make_sandbox(image=files), make_sandbox(image=files)
    taken = changes.take(agent, "/app")
    patch = changes.patch(changes.apply(fresh, "/app", taken), taken)
    assert (taken.written, taken.deleted, patch) == ((), (), "")


def test_thousands_of_files(make_sandbox: Callable[..., Sandbox], files: Image) -> None:
    script = "mkdir d{0..49}; for i in {1..2000}; do echo $i > d$((i % 50))/f$i; done; rm -r gone"
    agent, fresh = make_sandbox(image=files), make_sandbox(image=files)
    agent.exec(script)
    began = time.monotonic()
    taken = changes.take(agent, "/app")
    patch = changes.patch(changes.apply(fresh, "/app", taken), taken)
    assert time.monotonic() - began < 15
    assert patch.count("diff --git") == 2001
    assert fresh.exec("find . -name 'f*' -type f -path './d*' | wc -l; ls gone").stdout == "2000\n"


def test_patch_onto_the_images_files(
    make_sandbox: Callable[..., Sandbox], files: Image, tmp_path: Path, backend: Backend
) -> None:
    """`git apply` on what was there at first gives what the agent left."""
    script = """
    echo two > text; printf 'still none' > cut; rm -r gone empty; chmod 644 run.sh; ln -sf cut link; rm 'ünï→🎉'
    echo 1 > 'with space'; rm -r folder; echo file > folder; : > none; mkdir a; printf '\\r\\f\\n' > a/b
    """
    agent, fresh = make_sandbox(image=files), make_sandbox(image=files)
    fresh.download("/app", tmp_path / "tree")
    agent.exec(script)
    taken = changes.take(agent, "/app")
    patch = changes.patch(changes.apply(fresh, "/app", taken), taken)
    subprocess.run(
        ["git", "apply", "--whitespace=nowarn"], input=patch.encode(), cwd=tmp_path / "tree", check=True,
        env={"GIT_CEILING_DIRECTORIES": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    agent.exec("find . -type d -empty -delete")
    agent.download("/app", tmp_path / "agents")
    done = subprocess.run(
        ["diff", "-r", "--no-dereference", tmp_path / "tree", tmp_path / "agents"], capture_output=True, text=True
    )
    assert done.stdout == ""


def test_no_patch_of_a_binary(make_sandbox: Callable[..., Sandbox], files: Image) -> None:
    agent, fresh = make_sandbox(image=files), make_sandbox(image=files)
    agent.exec("printf '\\0' > binary; echo two > text")
    taken = changes.take(agent, "/app")
    patch = changes.patch(changes.apply(fresh, "/app", taken), taken)
    assert patch.startswith("Binary files a/binary and b/binary differ\ndiff --git a/text b/text\n")


@pytest.mark.parametrize("place", ["/app/big", "/dev/shm/big", "/tmp/big"])
def test_a_full_disk(make_sandbox: Callable[..., Sandbox], files: Image, place: str) -> None:
    """The agent's work is taken all the same, or said not to be: the sandbox is not at fault."""
    agent = make_sandbox(image=files, limits=Limits(memory_mb=256, storage_mb=64))
    agent.exec("echo two > text")
    agent.exec(f"head -c 400M /dev/zero > {place}")
    try:
        taken = changes.take(agent, "/app")
    except changes.NotTaken:
        assert place == "/app/big"
    else:
        assert "text" in taken.written
    assert agent.alive()
