"""Sandbox.diff: every path that differs from the image.

A folder differs when it is new, gone, or has another mode or owner; that its list of entries changed shows in the
entries themselves.
"""

from __future__ import annotations

import time

import pytest

from agentgym.protocols import Sandbox


def changes(sandbox: Sandbox) -> dict[str, str]:
    found = sandbox.diff()
    paths = [change.path for change in found]
    assert paths == sorted(paths)
    assert len(set(paths)) == len(paths)
    return {change.path: change.kind for change in found}


def test_fresh_sandbox_has_none(sandbox: Sandbox) -> None:
    assert changes(sandbox) == {}
    sandbox.exec("echo hello; cat notes.txt; ls -laR /app /etc /root /usr/bin > /dev/null 2>&1")
    sandbox.shell().run("pwd")
    assert changes(sandbox) == {}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("echo x > new", {"/app/new": "added"}),
        ("echo x >> notes.txt", {"/app/notes.txt": "modified"}),
        ("sed -i s/42/43/ pkg/module.py", {"/app/pkg/module.py": "modified"}),
        ("rm notes.txt", {"/app/notes.txt": "deleted"}),
        ("mkdir -p a/b && touch a/b/c", {"/app/a": "added", "/app/a/b": "added", "/app/a/b/c": "added"}),
        ("rmdir empty", {"/app/empty": "deleted"}),
        (
            "rm -r pkg",
            {"/app/pkg": "deleted", "/app/pkg/__init__.py": "deleted", "/app/pkg/module.py": "deleted"},
        ),
        (
            "rm -r deep",
            {"/app/deep": "deleted", "/app/deep/er": "deleted", "/app/deep/er/file.txt": "deleted"},
        ),
        ("mv notes.txt renamed", {"/app/notes.txt": "deleted", "/app/renamed": "added"}),
        (
            "mv pkg package",
            {
                "/app/package": "added",
                "/app/package/__init__.py": "added",
                "/app/package/module.py": "added",
                "/app/pkg": "deleted",
                "/app/pkg/__init__.py": "deleted",
                "/app/pkg/module.py": "deleted",
            },
        ),
        ("chmod 600 notes.txt", {"/app/notes.txt": "modified"}),
        ("chmod 700 pkg", {"/app/pkg": "modified"}),
        ("ln -sfn notes.txt link", {"/app/link": "modified"}),
        ("rm notes.txt && ln -s greeting.txt notes.txt", {"/app/notes.txt": "modified"}),
        (
            "rm notes.txt && mkdir notes.txt && touch notes.txt/x",
            {"/app/notes.txt": "modified", "/app/notes.txt/x": "added"},
        ),
        (
            "rm -r pkg && echo file > pkg",
            {"/app/pkg": "modified", "/app/pkg/__init__.py": "deleted", "/app/pkg/module.py": "deleted"},
        ),
        (
            "rm -r pkg && mkdir pkg && echo x > pkg/new.py",
            {"/app/pkg/__init__.py": "deleted", "/app/pkg/module.py": "deleted", "/app/pkg/new.py": "added"},
        ),
        ("rm notes.txt && echo other > notes.txt", {"/app/notes.txt": "modified"}),
        ("touch new && rm new && mkdir dir && rmdir dir", {}),
        ("ln -s nowhere dangling", {"/app/dangling": "added"}),
        ("mkfifo pipe", {"/app/pipe": "added"}),
        (
            "touch 'sp ace' 'é☃' ./-x \"q'uote\"",
            {"/app/sp ace": "added", "/app/é☃": "added", "/app/-x": "added", "/app/q'uote": "added"},
        ),
        ("echo x > /tmp/x; echo y > /dev/shm/y; mkdir -p /tmp/a/b", {}),
        ("echo x > /etc/agentgym-test; echo y > /root/y", {"/etc/agentgym-test": "added", "/root/y": "added"}),
    ],
)
def test_change(sandbox: Sandbox, command: str, expected: dict[str, str]) -> None:
    assert sandbox.exec(command).exit_code == 0
    assert changes(sandbox) == expected


@pytest.mark.parametrize(
    "command",
    [
        'python3 -c \'open("notes.txt", "a")\'',
        "ln notes.txt hard && rm hard",
        "chmod 600 notes.txt && chmod 644 notes.txt",
        "cp notes.txt copy && mv copy notes.txt",
        "mv pkg aside && mv aside pkg",
    ],
)
def test_what_ends_as_it_began_does_not_differ(sandbox: Sandbox, command: str) -> None:
    """Copy-on-write copied it, and formatters rewrite files as they were: neither is a change."""
    assert sandbox.exec(command).exit_code == 0
    assert changes(sandbox) == {}


def test_change_by_write_and_upload(sandbox: Sandbox) -> None:
    sandbox.write("/app/notes.txt", b"rewritten\n")
    sandbox.write("/app/new/file", b"x")
    assert changes(sandbox) == {"/app/new": "added", "/app/new/file": "added", "/app/notes.txt": "modified"}


def test_owner_change(sandbox: Sandbox) -> None:
    assert sandbox.exec("chown nobody notes.txt").exit_code == 0
    assert changes(sandbox) == {"/app/notes.txt": "modified"}


def test_change_of_a_system_file(sandbox: Sandbox) -> None:
    assert sandbox.exec("echo x >> /usr/bin/env && rm /usr/bin/which && touch /usr/lib/new").exit_code == 0
    assert changes(sandbox) == {"/usr/bin/env": "modified", "/usr/bin/which": "deleted", "/usr/lib/new": "added"}


def test_many_changes_are_found_quickly(sandbox: Sandbox) -> None:
    sandbox.exec("mkdir many && cd many && for i in $(seq 3000); do echo $i > $i; done")
    started = time.monotonic()
    assert len(sandbox.diff()) == 3001
    assert time.monotonic() - started < 10


def test_diff_sees_what_running_programs_do(sandbox: Sandbox) -> None:
    shell = sandbox.shell()
    shell.run("exec 7>> log; echo one >&7")
    assert changes(sandbox) == {"/app/log": "added"}
