"""What an agent changed, file by file, as its patch tells: with that, and without what the task laid there itself."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from agentgym import diff
from agentgym.scoring.checklist.verdict import QUOTE_CHARS, Evidence


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file at the end."""

    number: int
    text: str
    added: bool


@dataclass(frozen=True, slots=True)
class FileDelta:
    """What is different in one file."""

    path: str
    """Relative to the work directory."""
    kind: Literal["new", "modified", "deleted"]
    lines: tuple[Line, ...]
    """Those that are there at the end, as far as the patch shows them: all of a new file, else the changed and a few
    around them."""
    removed: tuple[str, ...]

    @property
    def added(self) -> Iterator[Line]:
        return (line for line in self.lines if line.added)

    def at(self, line: Line | None = None) -> Evidence:
        if line is None:
            return Evidence(file=self.path, quote=self.kind)
        return Evidence(file=self.path, line=line.number, quote=line.text[:QUOTE_CHARS])


def read_patch(patch: str, given: Mapping[str, str]) -> tuple[FileDelta, ...]:
    """The files of a patch. Of a file that was `given` with its text, only what is different from that."""
    deltas = (_delta(file) for file in diff.parse(patch))
    return tuple(delta for raw in deltas if (delta := _beyond(raw, given)) is not None)


def _delta(file: diff.FileDiff) -> FileDelta:
    notes = [line.text for line in file.lines if line.kind == "note"]
    kind: Literal["new", "modified", "deleted"] = "modified"
    if any(note.startswith("new file mode") for note in notes):
        kind = "new"
    elif any(note.startswith("deleted file mode") for note in notes):
        kind = "deleted"
    lines = tuple(
        Line(line.new or 0, line.text, line.kind == "added") for line in file.lines if line.kind in ("added", "context")
    )
    removed = tuple(line.text for line in file.lines if line.kind == "removed")
    return FileDelta(file.path, kind, lines, removed)


def _beyond(delta: FileDelta, given: Mapping[str, str]) -> FileDelta | None:
    """None where nothing is different from what was given."""
    before = given.get(delta.path)
    if before is None or delta.kind == "deleted":
        return delta
    was, now = before.splitlines(), [line.text for line in delta.lines]
    if was == now:
        return None
    if delta.kind == "modified":  # given over a file of the image: the patch is of both changes, and cannot be parted
        return delta
    kept = set[int]()
    removed: list[str] = []
    for tag, i, j, a, b in difflib.SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        if tag == "equal":
            kept.update(range(a, b))
        else:
            removed += was[i:j]
    lines = tuple(Line(n + 1, text, n not in kept) for n, text in enumerate(now))
    return FileDelta(delta.path, "modified", lines, tuple(removed))
