"""The patch of an agent's work: `git apply` puts it onto the original files, and what comes out is the agent's."""

from __future__ import annotations

import io
import subprocess
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgym.scoring.patch import render

State = Mapping[str, tuple[str, bytes]]
"""By path: "100644", "100755" or "120000" (a link, its content the target), and the content."""


def tarred(state: State) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, (mode, data) in state.items():
            info = tarfile.TarInfo(name)
            if mode == "120000":
                info.type, info.linkname = tarfile.SYMTYPE, data.decode()
                archive.addfile(info)
            else:
                info.size, info.mode = len(data), int(mode[-3:], 8)
                archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def applied(before: State, patch: str) -> dict[str, tuple[str, bytes]]:
    """What is in a folder after `git apply`."""
    with TemporaryDirectory() as place:
        folder = Path(place) / "tree"
        folder.mkdir()
        for name, (mode, data) in before.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if mode == "120000":
                path.symlink_to(data.decode())
            else:
                path.write_bytes(data)
                path.chmod(int(mode[-3:], 8))
        (Path(place) / "patch").write_bytes(patch.encode())
        if patch:
            done = subprocess.run(
                ["git", "apply", "--whitespace=nowarn", "../patch"], cwd=folder, capture_output=True, text=True,
                env={"GIT_CEILING_DIRECTORIES": place, "PATH": "/usr/bin:/bin"},
            )  # fmt: skip
            assert done.returncode == 0, done.stderr + patch
        after = {}
        for path in folder.rglob("*"):
            name = str(path.relative_to(folder))
            if path.is_symlink():
                after[name] = ("120000", str(path.readlink()).encode())
            elif path.is_file():
                after[name] = ("100755" if path.stat().st_mode & 0o100 else "100644", path.read_bytes())
        return after


def check(before: State, after: State) -> str:
    patch = render(tarred(before), tarred(after))
    assert applied(before, patch) == dict(after), patch
    return patch


F, X, L = "100644", "100755", "120000"
LONG = b"".join(b"line %d\n" % number for number in range(100))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": (F, b"one\n")}, {"a": (F, b"two\n")}),
        ({"a": (F, b"one")}, {"a": (F, b"one\n")}),
        ({"a": (F, b"one\n")}, {"a": (F, b"one")}),
        ({"a": (F, b"one\ntwo")}, {"a": (F, b"zero\ntwo")}),
        ({"a": (F, LONG)}, {"a": (F, LONG.replace(b"line 3\n", b"").replace(b"line 90", b"line ninety"))}),
        ({}, {"a": (F, b"new\n"), "b": (X, b"#!/bin/sh\n")}),
        ({}, {"a": (F, b""), "b": (X, b""), "deep/er/c": (F, b"c\n")}),
        ({"a": (F, b""), "b": (F, b"old\n"), "deep/c": (X, b"c")}, {}),
        ({"a": (F, b"")}, {"a": (F, b"filled\n")}),
        ({"a": (F, b"emptied\n")}, {"a": (F, b"")}),
        ({"a": (F, b"same\n")}, {"a": (X, b"same\n")}),
        ({"a": (X, b"one\n")}, {"a": (F, b"two\n")}),
        ({"a": (F, b"\x00\xff")}, {"a": (X, b"\x00\xff")}),
        ({"a": (F, b"one\n")}, {"a": (L, b"elsewhere")}),
        ({"a": (L, b"elsewhere")}, {"a": (F, b"elsewhere")}),
        ({"a": (L, b"here")}, {"a": (L, b"there")}),
        ({"a": (F, b"file\n")}, {"a/b": (F, b"in a folder\n")}),
        ({"a/b": (F, b"in a folder\n")}, {"a": (F, b"file\n")}),
        ({"a": (F, b"x\r\ny\r\n")}, {"a": (F, b"x\r\nz\r\n")}),
        ({"a": (F, b"x\ry\x0cz\x1c\xc2\x85\xe2\x80\xa8w\n")}, {"a": (F, b"x\ry\x0cz\x1c\xc2\x85\xe2\x80\xa8v\n")}),
        ({"a": (F, b"--- a/b\n+++ b/b\n")}, {"a": (F, b"-- a/b\n++ b/b\n@@ -1 +1 @@\n")}),
        ({"a": (F, b"diff --git a/b b/b\n")}, {"a": (F, b"\\ No newline at end of file\n")}),
        ({"a b": (F, b"1\n"), " c": (F, b"1\n"), "d ": (F, b"1\n")}, {"a b": (F, b"2\n"), " c": (F, b"2\n")}),
        ({"dir with space/a": (F, b"1\n")}, {"dir with space/a": (X, b"1\n"), "dir with space/b c": (F, b"")}),
        ({'q"u\\ote': (F, b"1\n"), "t\tab": (F, b"1\n"), "n\new": (F, b"1\n")}, {'q"u\\ote': (F, b"2\n")}),
        ({}, {"ünï/文字 🎉.py": (F, "é\n".encode()), "'": (F, b""), "-rf": (F, b"x"), "a b c": (L, b"x y")}),
    ],
    ids=[
        "changed", "newline added", "newline removed", "no newline", "two hunks", "new", "new and empty", "deleted", "filled",
        "emptied", "mode", "mode and text", "mode of a binary", "file to link", "link to file", "link", "file to folder",
        "folder to file", "crlf", "odd line ends", "looks like a patch", "looks like git", "spaces", "space and mode",
        "quoted", "unicode",
    ],
)  # fmt: skip
def test_git_apply(before: State, after: State) -> None:
    check(before, after)


lines = st.lists(
    st.sampled_from(["a", "b", "", "+", "- ", "\r", "\f", "é", "\\ No newline at end of file"]), max_size=8
)
contents = st.builds(lambda body, end: ("\n".join(body) + end).encode(), lines, st.sampled_from(["", "\n"]))
names = st.sampled_from(["a", "b c", "d/e", "d/f g", 'h"', "ü", "i\tj"])
files = st.one_of(
    st.tuples(st.sampled_from([F, X]), contents), st.tuples(st.just(L), st.sampled_from([b"a", b"x y", b"../z"]))
)
states = st.dictionaries(names, files, max_size=5)


@settings(max_examples=60, deadline=None)
@given(states, states)
def test_git_apply_of_anything(before: State, after: State) -> None:
    check(before, after)


def test_binary_and_large_files_are_only_named() -> None:
    """And do not stand in the way of the rest."""
    big = b"x" * 70 + b"\n"
    before = {"binary": (F, b"\x00"), "latin": (F, b"caf\xe9\n"), "text": (F, b"1\n"), "gone": (F, b"\x00")}
    after = {"binary": (F, b"\x01\x00"), "latin": (F, b"caf\xe8\n"), "text": (F, b"2\n"), "large": (F, big * 15_000)}
    patch = render(tarred(before), tarred(after))
    assert [line for line in patch.splitlines() if line.startswith("Binary")] == [
        f"Binary files a/{name} and b/{name} differ" for name in ("binary", "gone", "large", "latin")
    ]
    assert applied(before, patch) == {**before, "text": (F, b"2\n")}


def test_names_that_are_no_unicode() -> None:
    """The patch is text all the same, as trajectories are."""
    patch = render(b"", tarred({"caf\udce9": (F, b"x\n")}))
    assert '"b/caf\\351"' in patch
    assert patch.encode().isascii()


def test_thousands_of_shuffled_lines() -> None:
    """The best difference would take minutes to find, and an agent could have its grading wait for it."""
    numbers = range(60_000)
    before = {"a": (F, b"".join(b"%d\n" % number for number in numbers))}
    after = {"a": (F, b"".join(b"%d\n" % (number * 7919 % 60_000) for number in numbers))}
    began = time.monotonic()
    check(before, after)
    edited = {"a": (F, before["a"][1].replace(b"\n500\n", b"\nfive hundred\n"))}
    assert len(check(before, edited).splitlines()) == 12
    assert time.monotonic() - began < 10
