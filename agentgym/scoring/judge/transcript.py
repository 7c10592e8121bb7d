"""A trajectory as a judge reads it: passages in order, each with its place in the record, long ones cut in the middle.

All conversations are in it, sub-agents and what compaction took away included, and at the end the patch. What is cut is
said where it was, and counted. It knows no questions and no judges.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property

from agentgym.trajectory import Trajectory
from agentgym.views.conversation import Said, conversations
from agentgym.views.turns import read_arguments, recorded_turns, text_of

PASSAGE_CHARS = 6_000
"""Shown of one passage: what an agent says is rarely longer, what a tool prints often."""
QUOTE_CHARS_AT_LEAST = 8
"""A shorter quote is to be found in any record."""
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of the record."""

    title: str
    text: str
    evident: bool = True
    """It shows what the agent did; what it was told does not."""
    turn: int | None = None
    """Place in Trajectory.turns."""
    call: int | None = None
    """Place in Trajectory.calls."""
    tool_call: str = ""


@dataclass(frozen=True)
class Transcript:
    """What a judge is shown."""

    passages: Sequence[Passage]
    cut_chars: int
    """Left out."""

    def text(self, mark: str = "##") -> str:
        """The passages, each below its title, which `mark` tells from titles that an agent writes."""
        return "\n\n".join(f"{mark} {passage.title}\n{passage.text}" for passage in self.passages)

    def find(self, quote: str) -> Passage | None:
        """The first passage that shows what the agent did and holds the quote, blanks aside; None: there is none."""
        wanted = _essence(quote)
        if len(wanted) < QUOTE_CHARS_AT_LEAST:
            return None
        return next((passage for passage, essence in self._essences if wanted in essence), None)

    @cached_property
    def _essences(self) -> list[tuple[Passage, str]]:
        return [(passage, _essence(passage.text)) for passage in self.passages if passage.evident]


def transcript(trajectory: Trajectory, max_chars: int = 200_000) -> Transcript:
    """At most about `max_chars` characters: of a longer record the beginning and the end."""
    cut = [_cut_middle(passage) for passage in _passages(trajectory)]
    passages, n_cut = [passage for passage, _ in cut], sum(n for _, n in cut)
    sizes = [len(passage.text) for passage in passages]
    if sum(sizes) <= max_chars:
        return Transcript(passages, n_cut)
    head = _fitting(sizes, max_chars // 2)
    tail = _fitting(sizes[::-1], max_chars - max_chars // 2)
    last = max(head, len(passages) - tail)
    lost = sum(sizes[head:last])
    gap = Passage("Cut", f"[{last - head} passages, {lost} characters are left out here]", evident=False)
    return Transcript([*passages[:head], gap, *passages[last:]], n_cut + lost)


def _fitting(sizes: Sequence[int], max_chars: int) -> int:
    """How many of them, from the first on, fit."""
    total = 0
    for n, size in enumerate(sizes):
        total += size
        if total > max_chars:
            return n
    return len(sizes)


def _cut_middle(passage: Passage) -> tuple[Passage, int]:
    n_lost = len(passage.text) - PASSAGE_CHARS
    if n_lost <= 0:
        return passage, 0
    half = PASSAGE_CHARS // 2
    text = f"{passage.text[:half]}\n[{n_lost} characters are left out here]\n{passage.text[-half:]}"
    return replace(passage, text=text), n_lost


def _passages(trajectory: Trajectory) -> Iterator[Passage]:
    said = conversations(trajectory)
    numbers = {id(turn): number for number, turn in enumerate(trajectory.turns)}
    turns = recorded_turns(trajectory, said.calls, said.line)
    reader = _Reader(
        turns={call: number for call, turn in turns.items() if (number := numbers.get(id(turn))) is not None},
        observations={step.observation for turn in trajectory.turns for step in turn.steps},
    )
    for branch in said.line:
        yield from reader.read(branch.said, "")
    for number, branch in enumerate(said.others, start=1):
        yield from reader.read(branch.said, f", in conversation {number} beside the main one")
    if trajectory.patch:
        yield Passage("What the files are changed by at the end", trajectory.patch)


class _Reader:
    """Of the conversations of one trajectory, which begin with the same where one was forked off the other: what was
    read once is stepped over."""

    def __init__(self, turns: Mapping[int, int], observations: Set[str]) -> None:
        self._turns = turns
        """Call to the place of its turn."""
        self._observations = observations
        """Some scaffolds tell what came of a command as if the user said it."""
        self._read: set[int] = set()

    def read(self, said: Sequence[Said], beside: str) -> Iterator[Passage]:
        turn: int | None = None
        for one in said:
            if one.sampled:
                turn = self._turns.get(one.call)
            if id(one.message) not in self._read:
                self._read.add(id(one.message))
                yield from self._reply(one, turn, beside) if one.sampled else self._told(one, turn, beside)

    def _reply(self, said: Said, turn: int | None, beside: str) -> Iterator[Passage]:
        where = (f", turn {turn + 1}" if turn is not None else f", call {said.call + 1}") + beside
        if text := text_of(said.message).strip():
            yield Passage(f"Agent{where}", text, turn=turn, call=said.call)
        for call in said.message.get("tool_calls") or ():
            function = call["function"]
            arguments = read_arguments(function["arguments"])
            if not isinstance(arguments, str):
                arguments = "\n".join(f"{name}: {_plain(value)}" for name, value in arguments.items())
            title = f"Agent calls {function['name']}{where}"
            yield Passage(title, arguments, turn=turn, call=said.call, tool_call=call["id"])

    def _told(self, said: Said, turn: int | None, beside: str) -> Iterator[Passage]:
        text, role = text_of(said.message), said.message["role"]
        if role == "tool" or text in self._observations:
            id_ = said.message.get("tool_call_id", "")
            yield Passage(f"Result{beside}", text, turn=turn, call=said.call, tool_call=id_)
        else:
            title = {"system": "System prompt", "user": "User", "assistant": "Put into the agent's mouth"}
            yield Passage(f"{title.get(role, role)}{beside}", text, evident=False, call=said.call)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def _essence(text: str) -> str:
    return _BLANKS.sub(" ", text).strip()
