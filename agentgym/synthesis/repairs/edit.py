"""An edit as short as can be: `4| < => > ` says that in line 4 ` < ` is to become ` > `.

What is replaced must stand in its line once, as whole lexemes; blanks count. Nothing here knows files or models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from agentgym.synthesis.repairs.lexemes import lexemes

ARROW = "=>"
_EDIT = re.compile(rf"(?P<line>[0-9]{{1,4}})\|(?P<old>[^\n]*?){ARROW}(?P<new>[^\n]*)")


class EditError(ValueError):
    """An edit that cannot be read, or has no place. The text is for the model."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One piece of one line replaced by another."""

    line: int
    """From 1."""
    old: str
    new: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of a reply that is an edit and nothing else. Raises EditError."""
        match = _EDIT.fullmatch(text)
        if match is None:
            raise EditError(f"found {text[:60]!r}, wanted LINE|OLD{ARROW}NEW")
        return cls(int(match["line"]), match["old"], match["new"])

    @classmethod
    def between(cls, before: str, after: str) -> Self:
        """What leads from one text to the other, which differ in one line: as few lexemes as say it clearly.

        ValueError: they do not differ in just one line.
        """
        old_lines, new_lines = before.splitlines(), after.splitlines()
        differing = [n for n, pair in enumerate(zip(old_lines, new_lines, strict=True)) if pair[0] != pair[1]]
        if len(differing) != 1:
            raise ValueError(f"found texts that differ in {len(differing)} lines, wanted one")
        [at] = differing
        old, new = lexemes(old_lines[at]), lexemes(new_lines[at])
        start = 0
        while start < min(len(old), len(new)) and old[start] == new[start]:
            start += 1
        tail = 0
        while tail < min(len(old), len(new)) - start and old[-1 - tail] == new[-1 - tail]:
            tail += 1
        while True:
            edit = cls(at + 1, "".join(old[start : len(old) - tail]), "".join(new[start : len(new) - tail]))
            try:
                if edit.apply(before) == after:
                    return edit
            except EditError:
                pass
            if start > 0:
                start -= 1
            else:
                tail -= 1

    def apply(self, source: str) -> str:
        """The edited source. Raises EditError."""
        lines = source.splitlines(keepends=True)
        if not 1 <= self.line <= len(lines):
            raise EditError(f"there is no line {self.line}, the last is {len(lines)}")
        places = self._places(lexemes(lines[self.line - 1]))
        if len(places) != 1:
            raise EditError(f"line {self.line} has {self.old!r} {len(places)} times, wanted once")
        line = lines[self.line - 1]
        lines[self.line - 1] = line[: places[0]] + self.new + line[places[0] + len(self.old) :]
        return "".join(lines)

    def _places(self, pieces: list[str]) -> list[int]:
        """Offsets in the line at which the old text stands from the beginning of a lexeme to the end of one."""
        starts = [0]
        for piece in pieces:
            starts.append(starts[-1] + len(piece))
        ends = set(starts)
        text = "".join(pieces)
        return [
            start for start in starts if self.old and text.startswith(self.old, start) and start + len(self.old) in ends
        ]

    def __str__(self) -> str:
        return f"{self.line}|{self.old}{ARROW}{self.new}"


def numbered(source: str) -> str:
    """The listing that an edit's line numbers are of."""
    return "\n".join(f"{number}|{line}" for number, line in enumerate(source.splitlines(), 1))
