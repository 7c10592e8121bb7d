"""What a sandbox changed, exactly: its files beside those of a fresh sandbox of the same image.

Not the engine's own list, which names a folder when anything below it changed, a deleted folder without what was in
it, a file whose time alone changed, and nothing at all when a path is longer than a system call takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from agentgym.errors import SandboxError
from agentgym.protocols import FileChange

# -xdev leaves /proc, /sys and /dev out; the three files in /etc are the engine's, not the image's
_LIST = r"""find / -xdev \( -path /tmp -o -path /dev -o -path /proc -o -path /sys -o -path /etc/hosts \
-o -path /etc/hostname -o -path /etc/resolv.conf \) -prune -o -printf '%p\0%y %m %U %G %s %C@\0%l\0'"""
_HASH = "xargs -0 -r sha256sum --zero --; true"
_LIST_BYTES = 1 << 30


class Run(Protocol):
    """As `transfer.Run`."""

    def __call__(
        self, argv: list[str], *, stdin: bytes = b"", limit_bytes: int = 1 << 16
    ) -> tuple[int, bytes, str]: ...


class Entry(NamedTuple):
    """What one path is."""

    facts: str
    """Type, mode, owner; of all but folders the size; of links the target."""
    changed_at: str
    """The kernel's time of the last change of any kind; the same on both sides for what was never touched."""


def compare(inside: Run, before: Run) -> list[FileChange]:
    """The changes; `inside` runs in the sandbox, `before` in a fresh one."""
    new, old = _entries(inside), _entries(before)
    changes: dict[str, Literal["added", "modified", "deleted"]] = dict.fromkeys(new.keys() - old.keys(), "added")
    changes |= dict.fromkeys(old.keys() - new.keys(), "deleted")
    touched = []
    for path in new.keys() & old.keys():
        if new[path].facts != old[path].facts:
            changes[path] = "modified"
        elif new[path].changed_at != old[path].changed_at and new[path].facts.startswith("f"):
            touched.append(path)
    hashes, hashes_before = _hashes(inside, touched), _hashes(before, touched)
    changes |= dict.fromkeys((path for path in touched if hashes.get(path) != hashes_before.get(path)), "modified")
    return [FileChange(path, changes[path]) for path in sorted(changes)]


def _entries(run: Run) -> dict[str, Entry]:
    words = _output(run, ["sh", "-c", _LIST], "")
    entries = {}
    for path, facts, link in zip(words[::3], words[1::3], words[2::3], strict=True):
        *facts_, size, changed_at = facts.split(" ")
        entries[path] = Entry(" ".join([*facts_, "" if facts_[0] == "d" else size, link]), changed_at)
    if "/" not in entries:
        raise SandboxError("cannot compare the sandbox with its image: the image needs GNU find")
    return entries


def _hashes(run: Run, paths: Sequence[str]) -> dict[str, str]:
    """Path → sha256 of its contents."""
    if not paths:
        return {}
    return {line[66:]: line[:64] for line in _output(run, ["sh", "-c", _HASH], "".join(f"{path}\0" for path in paths))}


def _output(run: Run, argv: list[str], stdin: str) -> list[str]:
    """The NUL-terminated words that a command writes. What vanishes while it looks is no failure."""
    _, data, _ = run(argv, stdin=stdin.encode("utf-8", "surrogateescape"), limit_bytes=_LIST_BYTES)
    return data.decode("utf-8", "surrogateescape").split("\0")[:-1]
