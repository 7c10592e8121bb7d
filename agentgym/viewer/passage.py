"""A text of any length as much of it as a page shows at once: its beginning, its end, and how much is between."""

from __future__ import annotations

from dataclasses import dataclass

LINES, CHARS = 24, 2400
"""More than this is folded: a third of it goes to the end, where programs say what came of it."""
PIECE_CHARS = 300_000
"""Of a text that is asked for whole, a page holds at most so many."""


@dataclass(frozen=True, slots=True)
class Passage:
    """`head`, then what is left out, then `tail`."""

    head: str
    tail: str = ""
    n_chars: int = 0
    """Left out."""
    n_lines: int = 0
    """Line ends in what is left out."""
    at: str = ""
    """Where the whole text stands in the record: a JSON pointer."""

    @property
    def folded(self) -> bool:
        return self.n_chars > 0

    def __bool__(self) -> bool:
        return bool(self.head)


def fold(text: str, at: str = "", *, lines: int = LINES, chars: int = CHARS) -> Passage:
    """Cut the middle out of a text with more than `lines` lines or `chars` characters."""
    if len(text) <= chars and text.count("\n", 0, len(text) - 1) < lines:
        return Passage(text, at=at)
    n_tail, tail_chars = lines // 3, chars // 3
    start = _after(text, lines - n_tail, chars - tail_chars)
    end = max(start, _before(text, n_tail, tail_chars))
    middle = text[start:end]
    return Passage(text[:start], text[end:], len(middle), middle.count("\n"), at)


def _after(text: str, lines: int, chars: int) -> int:
    """Where the first so many lines end, or the first so many characters where that is earlier."""
    place = 0
    for _ in range(lines):
        place = text.find("\n", place, chars) + 1
        if place == 0:
            return min(chars, len(text))
    return place


def _before(text: str, lines: int, chars: int) -> int:
    """Where the last so many lines begin, or the last so many characters where that is later."""
    first = max(0, len(text) - chars)
    place = len(text) - 1 if text.endswith("\n") else len(text)
    for _ in range(lines):
        place = text.rfind("\n", first, place)
        if place < 0:
            return first
    return place + 1
