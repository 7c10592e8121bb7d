"""A model that says again what a recorded trajectory's model said.

The conversation tells which trajectory is meant: the one that begins with the same messages. From there on the
recorded replies follow one another; where an observation differs from the recorded one (a duration, a process id) the
replay goes on with a warning, or stops there when it is strict. It knows no tasks: the instruction stands for them.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentgym.errors import ModelError, UsageError
from agentgym.models.spec import refuse_unknown
from agentgym.protocols import Message, Reply, Sampling
from agentgym.store import TrajectoryStore
from agentgym.trajectory import Trajectory

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where a conversation leaves a recording."""

    position: int
    """Of the first message that differs, from 0."""
    line: str
    """For people: which message, and what is different in it."""


class ReplayModel:
    """Replays trajectories of any number of tasks.

    Attempts at one task take turns, one conversation each; those that began with the same reply follow the first.
    """

    def __init__(self, trajectories: Iterable[Trajectory], *, strict: bool = False, name: str = "replay") -> None:
        self.name = name
        self.strict = strict
        """Whether a diverging observation is a ModelError, not just a warning."""
        self._trajectories = [trajectory for trajectory in trajectories if _can_replay(trajectory)]
        if not self._trajectories:
            raise UsageError(f"{name}: found no trajectory to replay, wanted one with a model's replies in it")
        by_opening: dict[str, list[Trajectory]] = {}
        for trajectory in self._trajectories:
            by_opening.setdefault(_opening(trajectory.messages), []).append(trajectory)
        self._turns: dict[str, Iterator[Trajectory]] = {
            opening: itertools.cycle(attempts) for opening, attempts in by_opening.items()
        }

    @classmethod
    def from_spec(cls, rest: str, options: Mapping[str, Any]) -> ReplayModel:
        """A .jsonl file of trajectories; the option `strict` is true or false."""
        refuse_unknown(options, ("strict",), "replay")
        path, strict = Path(rest), options.get("strict", False)
        if not isinstance(strict, bool):
            raise UsageError(f"replay:{rest}: found strict = {strict!r}, wanted true or false")
        if not path.is_file():
            raise UsageError(f"replay:{rest}: no such file; wanted a .jsonl of trajectories")
        return cls(TrajectoryStore(path), strict=strict, name=f"replay:{path.stem}")

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] = (),
        sampling: Sampling | None = None,
    ) -> Reply:
        """The recorded reply to this conversation. Raises ModelError when there is none."""
        trajectory, divergence = self._find(messages)
        where = f"{self.name}: trajectory {trajectory.id} of {trajectory.task.name}"
        if divergence is not None:
            was_input = divergence.position >= _n_opening(messages) and not _is_reply(messages[divergence.position])
            if not was_input or self.strict:
                raise ModelError(f"{where} does not fit this conversation: {divergence.line}")
            logger.warning("%s goes on although %s", where, divergence.line)
        turn = sum(map(_is_reply, messages))
        n_turns = len(trajectory.turns)
        if turn >= n_turns:
            raise ModelError(f"{where} is exhausted: it has {n_turns} replies, asked for number {turn + 1}")
        recorded = trajectory.turns[turn]
        return Reply(recorded.message, recorded.finish_reason, recorded.usage)

    def _find(self, messages: Sequence[Message]) -> tuple[Trajectory, Divergence | None]:
        """The trajectory that agrees with the conversation for longest, and where that ends."""
        if _n_opening(messages) == len(messages) and (attempts := self._turns.get(_opening(messages))):
            return next(attempts), None
        found = [(trajectory, _compare(trajectory.messages, messages)) for trajectory in self._trajectories]
        return max(found, key=lambda pair: len(messages) if pair[1] is None else pair[1].position)


def _can_replay(trajectory: Trajectory) -> bool:
    """Whether its replies can be told from its messages; they cannot where the scaffold rewrote its history."""
    if not trajectory.turns or not trajectory.messages:  # without messages no model was asked
        return False
    replies = [turn.message for turn in trajectory.turns]
    kept = [message for message in trajectory.messages if _is_reply(message)]
    # the last reply may be missing: nothing was sent after it
    if len(kept) >= len(replies) - 1 and all(_same(a, b) for a, b in zip(kept, replies, strict=False)):
        return True
    logger.warning("trajectory %s cannot be replayed: its scaffold rewrote the conversation", trajectory.id)
    return False


def _compare(recorded: Sequence[Message], now: Sequence[Message]) -> Divergence | None:
    for position, message in enumerate(now):
        if position >= len(recorded):
            return Divergence(position, f"message {position} ({message['role']}) is past the recording's end")
        if not _same(recorded[position], message):
            return Divergence(position, f"message {position} {_difference(recorded[position], message)}")
    return None


def _same(one: Message, other: Message) -> bool:
    return _essence(one) == _essence(other)


def _essence(message: Message) -> tuple[str, str, list[Any], str]:
    """What must agree: reasoning need not be sent back, and no content is the same as an empty one."""
    return (
        message["role"],
        message["content"] or "",
        list(message.get("tool_calls", [])),
        message.get("tool_call_id", ""),
    )


def _difference(recorded: Message, now: Message) -> str:
    if recorded["role"] != now["role"]:
        return f"was from {recorded['role']}, and is from {now['role']}"
    was, is_ = (message["content"] or "" for message in (recorded, now))
    if was == is_:
        return f"({now['role']}) has other tool calls"
    agree = next((n for n, (a, b) in enumerate(zip(was, is_, strict=False)) if a != b), min(len(was), len(is_)))
    shown = slice(max(0, agree - 20), agree + 60)
    return f"({now['role']}) read {was[shown]!r}, and reads {is_[shown]!r}, from character {agree}"


def _is_reply(message: Message) -> bool:
    return message["role"] == "assistant"


def _n_opening(messages: Sequence[Message]) -> int:
    """Messages before the first reply."""
    return next((n for n, message in enumerate(messages) if _is_reply(message)), len(messages))


def _opening(messages: Sequence[Message]) -> str:
    return json.dumps([_essence(message) for message in messages[: _n_opening(messages)]])
