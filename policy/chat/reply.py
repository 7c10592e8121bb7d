"""A sampled reply read back: thinking, content and calls, by the markup that its format has. Nothing here raises."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from policy.chat.message import Call, Parsed
from policy.tokenizer import Tokenizer

THINK, END_THINK = "<think>", "</think>"


class Reading:
    """The text of ids, and where in it markup stands.

    Where the vocabulary has a token for a marker only that token counts, not text that spells it.
    """

    def __init__(self, tokenizer: Tokenizer, ids: Sequence[int], markers: Sequence[str]) -> None:
        names = {tokenizer.added[name]: name for name in markers if name in tokenizer.added}
        self._places: dict[str, list[int]] = {name: [] for name in names.values()}
        parts: list[str] = []
        length = last = 0
        for at, id in enumerate(ids):
            if id in names:
                before = tokenizer.decode(ids[last:at])
                self._places[names[id]].append(length + len(before))
                parts += [before, names[id]]
                length += len(before) + len(names[id])
                last = at + 1
        self.text = "".join(parts) + tokenizer.decode(ids[last:])

    def find(self, marker: str, start: int = 0) -> int:
        """Where the marker stands next, -1 if it does not."""
        places = self._places.get(marker)
        if places is None:
            return self.text.find(marker, start)
        return next((place for place in places if place >= start), -1)

    def at(self, marker: str, place: int) -> bool:
        """Whether it stands right there."""
        return self.text.startswith(marker, place) and self.find(marker, place) == place

    def skip(self, blanks: str, start: int, at_most: int) -> int:
        """The place after `at_most` characters that are of `blanks`."""
        while at_most and start < len(self.text) and self.text[start] in blanks:
            start, at_most = start + 1, at_most - 1
        return start


ReadCalls = Callable[[Reading, int], tuple[list[Call], int]]
"""Reads the calls whose opening marker ends at a place; says where their closing marker ends. Raises ValueError."""


def read_reply(
    tokenizer: Tokenizer,
    ids: Sequence[int],
    *,
    stop_ids: frozenset[int],
    markers: tuple[str, str],
    read_calls: ReadCalls,
    in_thought: bool,
) -> Parsed:
    """`markers` open and close calls; `in_thought`: the prompt has opened the thinking already."""
    ended = bool(ids) and ids[-1] in stop_ids
    reading = Reading(tokenizer, ids[:-1] if ended else ids, (THINK, END_THINK, *markers))
    reasoning, at = _read_reasoning(reading, in_thought)
    content: list[str] = []
    calls: list[Call] = []
    malformed: list[str] = []
    search = at
    while (start := reading.find(markers[0], search)) >= 0:
        search = start + len(markers[0])
        try:
            found, search = read_calls(reading, search)
        except ValueError as error:
            malformed.append(str(error))
        else:
            content.append(reading.text[at:start].removesuffix("\n"))
            calls += found
            at = search
    rest = reading.text[at:]
    if not calls or rest.strip():
        content.append(rest)
    return Parsed("".join(content), reasoning, tuple(calls), tuple(malformed), ended)


def _read_reasoning(reading: Reading, in_thought: bool) -> tuple[str, int]:
    """What was thought before the answer, and where that begins."""
    start = 0
    if reading.at(THINK, 0):  # some say again what the prompt has said
        start = reading.skip("\n", len(THINK), 1)
    elif not in_thought:
        return "", 0
    end = reading.find(END_THINK, start)
    if end < 0:  # cut off in thought
        return reading.text[start:], len(reading.text)
    return reading.text[start:end].removesuffix("\n"), reading.skip("\n", end + len(END_THINK), 2)
