"""A sampled reply read back: thinking, content and calls, by the markup that its format has. Nothing here raises."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from policy.chat.message import Call, Parsed
from policy.tokenizer import Tokenizer

THINK, END_THINK = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class Markup:
    """How a format marks the parts of a reply."""

    tokenizer: Tokenizer
    stop_ids: frozenset[int]
    calls: tuple[str, str]
    """What opens and closes tool calls."""
    in_thought: bool
    """The prompt has opened the thinking already."""


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

    def cut(self, texts: Sequence[str]) -> None:
        """End the text where the first of these stands."""
        ends = [place for text in texts if (place := self.text.find(text)) >= 0]
        end = min(ends, default=len(self.text))
        self.text = self.text[:end]
        self._places = {
            name: [place for place in places if place + len(name) <= end] for name, places in self._places.items()
        }

    def find(self, marker: str, start: int = 0) -> int:
        """Where the marker stands next, -1 if it does not."""
        places = self._places.get(marker)
        if places is None:
            return self.text.find(marker, start)
        nth = bisect_left(places, start)
        return places[nth] if nth < len(places) else -1

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


def read_reply(markup: Markup, ids: Sequence[int], read_calls: ReadCalls, stop: Sequence[str] = ()) -> Parsed:
    """`stop`: texts that ended it, and are no part of it."""
    ended = bool(ids) and ids[-1] in markup.stop_ids
    markers = (THINK, END_THINK, *markup.calls)
    reading = Reading(markup.tokenizer, ids[:-1] if ended else ids, markers)
    reading.cut(stop)
    reasoning, at = _read_reasoning(reading, markup.in_thought)
    content: list[str] = []
    calls: list[Call] = []
    malformed: list[str] = []
    search = at
    opening = markup.calls[0]
    while (start := reading.find(opening, search)) >= 0:
        search = start + len(opening)
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
