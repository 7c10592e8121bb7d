"""Unified diffs as files and numbered lines, and the small diff that an edit is. Knows nothing of who made them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

LINE_CHARS = 1000
"""Shown of one line."""
COMPARISONS = 1 << 16
"""Pairs of lines beyond which two texts are not compared: it takes longer than anybody waits."""

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_SILENT = re.compile(r"index [0-9a-f]+\.\.|--- |\+\+\+ ")

Kind = Literal["added", "removed", "context", "hunk", "note"]


class Line(NamedTuple):
    """One line of a diff; a tuple, for a patch may have a hundred thousand."""

    kind: Kind
    text: str
    old: int | None = None
    """Its number before."""
    new: int | None = None
    """Its number afterwards."""


@dataclass(slots=True)
class FileDiff:
    """What a patch does to one file."""

    path: str
    lines: list[Line] = field(default_factory=list)
    n_added: int = 0
    n_removed: int = 0


def parse(patch: str) -> list[FileDiff]:
    """The files of a unified diff, git's or plain. What is no diff is kept as notes."""
    files: list[FileDiff] = []
    rows = iter(patch.removesuffix("\n").split("\n") if patch else ())
    for row in rows:
        if hunk := _HUNK.match(row):
            if not files:
                files.append(FileDiff("patch"))
            files[-1].lines.append(Line("hunk", row))
            _take_hunk(files[-1], rows, *(1 if number is None else int(number) for number in hunk.groups()))
        elif row.startswith("diff --git "):
            files.append(FileDiff(_path(row[len(row) // 2 + 6 :])))  # both names are the same but for the letter
        elif row.startswith("--- ") and (not files or files[-1].n_added or files[-1].n_removed):
            files.append(FileDiff(_path(row[4:])))
        elif row.startswith("+++ ") and files:
            files[-1].path = _path(row[4:]) or files[-1].path
        elif not _SILENT.match(row):
            if not files or row.startswith("Binary files "):
                files.append(FileDiff(row))
            files[-1].lines.append(Line("note", row))
    return files


def _take_hunk(file: FileDiff, rows: Iterator[str], old: int, n_old: int, new: int, n_new: int) -> None:
    """The lines that the hunk's head promises: whatever they look like, they are lines of the file."""
    old_end, new_end = old + n_old, new + n_new
    while old < old_end or new < new_end:
        row = next(rows, None)
        if row is None:
            return
        if row.startswith("+"):
            file.lines.append(Line("added", row[1:], None, new))
            file.n_added, new = file.n_added + 1, new + 1
        elif row.startswith("-"):
            file.lines.append(Line("removed", row[1:], old, None))
            file.n_removed, old = file.n_removed + 1, old + 1
        elif row.startswith("\\"):
            file.lines.append(Line("note", row))
        else:
            file.lines.append(Line("context", row[1:], old, new))
            old, new = old + 1, new + 1


def edit(old: str, new: str) -> list[Line]:
    """The lines of a piece of text that was replaced by another."""
    was, now = old.splitlines(), new.splitlines()
    if len(was) * len(now) > COMPARISONS:
        return [*(Line("removed", text) for text in was), *(Line("added", text) for text in now)]
    return list(_compared(was, now))


def cut(lines: Sequence[Line], n_lines: int, n_chars: int) -> list[Line]:
    """The first lines, at most so many and so long together; what each has beyond LINE_CHARS is only counted."""
    shown: list[Line] = []
    for line in lines[:n_lines]:
        more = len(line.text) - LINE_CHARS
        if more > 0:
            line = line._replace(text=f"{line.text[:LINE_CHARS]} [{more:,} more characters]")
        n_chars -= len(line.text)
        if n_chars < 0:
            break
        shown.append(line)
    return shown


def _compared(old: list[str], new: list[str]) -> Iterator[Line]:
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            yield from (Line("context", text) for text in old[a:b])
        else:
            yield from (Line("removed", text) for text in old[a:b])
            yield from (Line("added", text) for text in new[c:d])


def _path(name: str) -> str:
    """Without the letter in front of it; empty for /dev/null."""
    name = name.split("\t")[0].strip('"')
    return "" if name == "/dev/null" else re.sub(r"^[ab]/", "", name)
