"""One episode as its page shows it: recorded, or in flight and known from the journal alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from agentgym import diff
from agentgym.call import Call
from agentgym.protocols import Usage
from agentgym.trajectory import Outcome, TestVerdict, Trajectory
from agentgym.verdict import ItemVerdict, Result
from agentgym.viewer import forks, turns
from agentgym.viewer.action import edited_path, pretty
from agentgym.viewer.forks import Branch
from agentgym.viewer.journal import Session
from agentgym.viewer.message import Item
from agentgym.viewer.turns import TurnView

_ORDER: tuple[Result, ...] = ("fail", "error", "pass", "not_applicable")
_PARTS = ("sandbox", "agent", "model", "grading", "overhead")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the timing bar."""

    name: str
    seconds: float
    start: float
    """Per cent of the bar, from its left."""
    width: float


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The tests of one kind, those that did not pass first."""

    name: str
    title: str
    failed: list[tuple[str, TestVerdict]]
    passed: list[str]

    @property
    def n(self) -> int:
        return len(self.failed) + len(self.passed)


@dataclass(frozen=True, slots=True)
class EpisodeView:
    """What the page needs beside the turns."""

    task: str
    scaffold: str
    model: str
    started_at: Any
    n_turns: int
    calls: Sequence[Call]
    preface: list[Item]
    record: Trajectory | None = None
    """None: in flight."""
    sealed: bool = False
    """In flight: the agent has done its work."""
    usage: Usage = field(default_factory=Usage)
    timing: list[Part] = field(default_factory=list)
    files: list[diff.FileDiff] = field(default_factory=list)
    touched: Mapping[str, list[int]] = field(default_factory=dict)
    """File of the patch to the turns that edited it by a tool for that."""
    verdicts: list[Verdicts] = field(default_factory=list)

    @property
    def checklist(self) -> list[ItemVerdict]:
        """The items, broken ones first."""
        found = self.record.outcome.checklist if self.record and self.record.outcome else []
        return sorted(found, key=lambda verdict: _ORDER.index(verdict.result))

    @property
    def branches(self) -> list[Branch]:
        return forks.branches(self.calls)

    @property
    def has_tokens(self) -> bool:
        return any(call.tokens and call.tokens.sampled for call in self.calls)

    def page(self, first: int) -> list[TurnView]:
        """The turns from number `first` on, as many as a page has."""
        if self.record is not None:
            return turns.of_trajectory(self.record, first)
        return turns.of_conversation(self._conversation(), self.calls, first)

    def _conversation(self) -> list[Item]:
        return forks.conversation(self.calls, forks.main_call(self.calls)) if self.calls else []


def recorded(trajectory: Trajectory) -> EpisodeView:
    """Of a trajectory."""
    files = diff.parse(trajectory.patch or "")
    messages = [Item(message, f"/messages/{n}") for n, message in enumerate(trajectory.messages)]
    asked: Sequence[Any] = trajectory.calls or trajectory.turns
    return EpisodeView(
        task=trajectory.task.name,
        scaffold=trajectory.scaffold,
        model=trajectory.model,
        started_at=trajectory.started_at,
        n_turns=len(trajectory.turns),
        calls=trajectory.calls,
        preface=turns.preface(messages),
        record=trajectory,
        usage=_total(asked),
        timing=_timing(trajectory),
        files=files,
        touched=_touched(trajectory, [file.path for file in files]),
        verdicts=_verdicts(trajectory.outcome),
    )


def in_flight(sessions: Sequence[Session]) -> EpisodeView:
    """Of the sessions that an episode has opened so far; there is at least one."""
    first = sessions[0]
    calls = forks.joined(session.calls for session in sessions)
    said = forks.conversation(calls, forks.main_call(calls)) if calls else []
    return EpisodeView(
        task=first.task,
        scaffold=first.scaffold,
        model=first.model,
        started_at=first.at,
        n_turns=turns.n_replies(said),
        calls=calls,
        preface=turns.preface(said),
        sealed=all(session.sealed for session in sessions),
        usage=_total(calls),
    )


def text_at(record: Any, at: str) -> str | None:
    """The text, or the JSON, that the pointer `at` leads to; None where it leads nowhere."""
    value = record
    for key in (part.replace("~1", "/").replace("~0", "~") for part in at.split("/")[1:]):
        if isinstance(value, BaseModel):
            value = getattr(value, key) if key in type(value).model_fields else None
        elif isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, Sequence) and not isinstance(value, str) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    if isinstance(value, str):
        return value
    return None if value is None or isinstance(value, BaseModel) else pretty(value)


def _total(asked: Sequence[Any]) -> Usage:
    usages = [one.usage for one in asked]
    return Usage(sum(usage.prompt_tokens for usage in usages), sum(usage.completion_tokens for usage in usages))


def _timing(trajectory: Trajectory) -> list[Part]:
    spent = [(name, getattr(trajectory.timing, f"{name}_s")) for name in _PARTS]
    total = sum(value for _, value in spent)
    parts: list[Part] = []
    start = 0.0
    for name, value in spent if total > 0 else ():
        width = 100 * value / total
        parts.append(Part(name, value, start, width))
        start += width
    return parts


def _verdicts(outcome: Outcome | None) -> list[Verdicts]:
    if outcome is None:
        return []
    kinds = (
        ("fail_to_pass", "Fail to pass", outcome.fail_to_pass),
        ("pass_to_pass", "Pass to pass", outcome.pass_to_pass),
    )
    return [
        Verdicts(
            name,
            title,
            [(test, verdict) for test, verdict in found.items() if verdict != "passed"],
            [test for test, verdict in found.items() if verdict == "passed"],
        )
        for name, title, found in kinds
        if found
    ]


def _touched(trajectory: Trajectory, paths: Sequence[str]) -> dict[str, list[int]]:
    edits: dict[str, list[int]] = {}
    for number, turn in enumerate(trajectory.turns, start=1):
        for step in turn.steps:
            path = edited_path(step.arguments)
            if path and not step.is_error and number not in edits.setdefault(path, []):
                edits[path].append(number)
    return {path: found for path in paths for edited, found in edits.items() if f"/{edited}".endswith(f"/{path}")}
