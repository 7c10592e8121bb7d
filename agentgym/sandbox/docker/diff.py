"""What a sandbox changed, exactly: its files beside those of a fresh sandbox of the same image.

Not the engine's own list, which names a folder when anything below it changed, a deleted folder without what was in
it, a file whose time alone changed, and nothing at all when a path is longer than a system call takes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from typing import Literal, Protocol

from agentgym.errors import SandboxError
from agentgym.protocols import FileChange

# -xdev leaves /proc, /sys and /dev out; the three files in /etc are the engine's, not the image's
_LIST = r"""find / -xdev \( -path /tmp -o -path /dev -o -path /proc -o -path /sys -o -path /etc/hosts \
-o -path /etc/hostname -o -path /etc/resolv.conf \) -prune -o -printf '%p\0%y %m %U %G %s %C@ %l\0'"""
_HASH = "xargs -0 -r sha256sum --zero --"
_LIST_BYTES = 1 << 30
_OK = (0, 1, 123)
"""1 from find, 123 from xargs: something vanished meanwhile, or its path is too long. No failure."""


class Run(Protocol):
    """As `transfer.Run`."""

    def __call__(
        self, argv: list[str], *, stdin: bytes = b"", limit_bytes: int = 1 << 16
    ) -> tuple[int, bytes, str]: ...


class Baseline:
    """The files of a fresh sandbox of one image, each looked at once: an image does not change."""

    def __init__(self, fresh: Callable[[], AbstractContextManager[Run]]) -> None:
        self._fresh = fresh
        self._lock = threading.Lock()
        self._entries: dict[str, str] = {}
        self._hashes: dict[str, str] = {}

    def entries(self) -> dict[str, str]:
        with self._lock:
            if not self._entries:
                with self._fresh() as run:
                    self._entries = _entries(run)
            return self._entries

    def hashes(self, paths: Sequence[str]) -> dict[str, str]:
        with self._lock:
            if unknown := [path for path in paths if path not in self._hashes]:
                with self._fresh() as run:
                    self._hashes |= _hashes(run, unknown)
            return self._hashes


def compare(run: Run, before: Baseline, mounts: Collection[str] = ()) -> list[FileChange]:
    """The changes; `run` runs in the sandbox. `mounts`, and what the engine made to mount them on, are none."""
    below = tuple(f"{target}/" for target in mounts)
    above = {str(folder) for target in mounts for folder in PurePosixPath(target).parents}
    old, new = (
        {path: entry for path, entry in entries.items() if not f"{path}/".startswith(below)}
        for entries in (before.entries(), _entries(run))
    )
    for path in above - old.keys():
        new.pop(path, None)
    changes: dict[str, Literal["added", "modified", "deleted"]] = dict.fromkeys(new.keys() - old.keys(), "added")
    changes |= dict.fromkeys(old.keys() - new.keys(), "deleted")
    touched = []
    for path, entry in new.items():
        if path in changes or entry == old[path]:
            continue
        if _facts(entry) != _facts(old[path]):
            changes[path] = "modified"
        elif entry.startswith("f"):
            touched.append(path)
    if touched:
        hashes, hashes_before = _hashes(run, touched), before.hashes(touched)
        changes |= dict.fromkeys((path for path in touched if hashes.get(path) != hashes_before.get(path)), "modified")
    return [FileChange(path, changes[path]) for path in sorted(changes)]


def _entries(run: Run) -> dict[str, str]:
    """Path → type, mode, owner, group, size, the kernel's time of the last change of any kind, target of a link.

    That time is the same in every sandbox of an image for what was never touched.
    """
    words = _output(run, ["sh", "-c", _LIST])
    entries = dict(zip(words[::2], words[1::2], strict=False))
    if "/" not in entries or len(words) % 2:
        raise SandboxError("cannot compare the sandbox with its image: the image needs GNU find")
    return entries


def _facts(entry: str) -> list[str]:
    """What of an entry makes a difference: all but the time, and of folders the size."""
    kind, mode, user, group, size, _, link = entry.split(" ", 6)
    return [kind, mode, user, group, "" if kind == "d" else size, link]


def _hashes(run: Run, paths: Sequence[str]) -> dict[str, str]:
    """Path → sha256 of its contents."""
    stdin = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
    return {line[66:]: line[:64] for line in _output(run, ["sh", "-c", _HASH], stdin)}


def _output(run: Run, argv: list[str], stdin: bytes = b"") -> list[str]:
    """The NUL-terminated words that a command writes."""
    status, data, problem = run(argv, stdin=stdin, limit_bytes=_LIST_BYTES)
    if status not in _OK or len(data) >= _LIST_BYTES:
        raise SandboxError(
            "cannot compare the sandbox with its image: the image needs GNU find, xargs and sha256sum; "
            f"status {status} after {len(data)} bytes: {problem[-200:].strip()}"
        )
    return data.decode("utf-8", "surrogateescape").split("\0")[:-1]
