"""The tree of calls taken apart into conversations, and the main one among them.

Agents hold more than one: sub-agents, titles, summaries; and one that was compacted or edited goes on as another. What
the model was asked and never answered is in no conversation. It knows no tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agentgym.call import Call
from agentgym.protocols import Message
from agentgym.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Said:
    """A message, and where it came from."""

    message: Message
    call: int
    """That brought it, or whose reply it is."""
    sampled: bool
    """It is the reply."""


@dataclass(frozen=True)
class Branch:
    """A conversation that was not gone on with, from its first message to its last reply."""

    end: int
    """The call with the last reply."""
    said: list[Said]
    tools: list[dict[str, Any]]
    """Offered with the last call."""

    @property
    def messages(self) -> list[Message]:
        return [said.message for said in self.said]

    @cached_property
    def replies(self) -> list[int]:
        """The calls whose replies it holds; other branches may begin with the same."""
        return [said.call for said in self.said if said.sampled]


def conversation(calls: Sequence[Call], index: int) -> list[Message]:
    """What was sent in a call, from the beginning, and its reply where there is one."""
    return [said.message for said in all_said(calls, index)]


def all_said(calls: Sequence[Call], index: int) -> list[Said]:
    """As `conversation`, with where each message came from."""
    said: list[Said] = []
    for at in _path(calls, index):
        call = calls[at]
        del said[call.n_kept :]
        said += [Said(message, at, sampled=False) for message in call.messages]
        if call.reply is not None:
            said.append(Said(call.reply, at, sampled=True))
    return said


def offered_tools(calls: Sequence[Call], index: int) -> list[dict[str, Any]]:
    """The tools of a call, which it may have from an earlier one."""
    at: int | None = index
    while at is not None:
        call = calls[at]
        if call.tools is not None:
            return call.tools
        at = call.parent
    return []


def branches(calls: Sequence[Call]) -> list[Branch]:
    """All conversations, in the order of their last replies."""
    n_said = [call.n_kept + len(call.messages) + 1 for call in calls]
    answered = [index for index, call in enumerate(calls) if call.reply is not None]
    gone_on = set()
    for index in answered:
        parent = calls[index].parent
        if parent is not None and calls[index].n_kept == n_said[parent]:
            gone_on.add(parent)
    ends = [index for index in answered if index not in gone_on]
    return [Branch(end, all_said(calls, end), offered_tools(calls, end)) for end in ends]


def main_line(found: Sequence[Branch]) -> list[Branch]:
    """Of `branches` those that are the main conversation, in order: more than one where its history was rewritten.

    It is the one with tools that has the most replies; and those with the same tools, and its system prompt or its
    replies in their history, that were over when it began, or began when it was over, as after compaction or when the
    agent's program is started again. What they have in common, as after edits, aside.
    """
    if not found:
        return []
    main = max(found, key=lambda branch: (bool(branch.tools), len(branch.replies), -branch.end))
    line = [main]
    kin = [branch for branch in found if branch is not main and _akin(branch, main)]
    for branch in sorted(kin, key=lambda branch: -len(branch.replies)):
        if all(_take_turns(branch, other) for other in line):
            line.append(branch)
    return sorted(line, key=lambda branch: branch.end)


@dataclass(frozen=True, slots=True)
class Conversations:
    """All that was said in an episode."""

    calls: list[Call]
    line: list[Branch]
    """The main conversation; none where no model was asked."""
    others: list[Branch]


def conversations(trajectory: Trajectory) -> Conversations:
    """Of a trajectory without calls: its turns, as the calls that they would have been."""
    calls = trajectory.calls or list(_calls_of_turns(trajectory))
    found = branches(calls)
    line = main_line(found)
    main = {branch.end for branch in line}
    others = [branch for branch in found if branch.end not in main]
    if line:
        last, n_said = line[-1], len(line[-1].said)
        if trajectory.messages[:n_said] == last.messages:  # what followed the last reply was sent to nobody
            unsent = [Said(message, last.end, sampled=False) for message in trajectory.messages[n_said:]]
            line[-1] = Branch(last.end, [*last.said, *unsent], last.tools)
    return Conversations(calls, line, others)


def _calls_of_turns(trajectory: Trajectory) -> Iterator[Call]:
    rest = list(trajectory.messages)
    n_said = 0
    for index, turn in enumerate(trajectory.turns):
        if turn.message in rest:
            at = rest.index(turn.message)
            new, rest = rest[:at], rest[at + 1 :]
        elif index == len(trajectory.turns) - 1:
            new = rest
        else:  # its history was rewritten
            new = []
        yield Call(
            parent=index - 1 if index else None,
            drift="clean" if index else "root",
            n_kept=n_said,
            messages=new,
            tools=None if index else trajectory.tools,
            reply=turn.message,
            finish_reason=turn.finish_reason,
            usage=turn.usage,
            started_at=turn.started_at,
            duration_s=turn.duration_s,
        )
        n_said += len(new) + 1


def _path(calls: Sequence[Call], index: int) -> list[int]:
    path = [index]
    while (parent := calls[path[-1]].parent) is not None:
        path.append(parent)
    return path[::-1]


def _take_turns(one: Branch, other: Branch) -> bool:
    """Whether all that only one of them has came before all that only the other has."""
    a, b = set(one.replies) - set(other.replies), set(other.replies) - set(one.replies)
    return max(a) < min(b) or max(b) < min(a)


def _akin(one: Branch, other: Branch) -> bool:
    """Whether both may be of one agent: it keeps its tools, and its system prompt or its history."""
    if _tool_names(one) != _tool_names(other):
        return False
    return _system(one) == _system(other) or _goes_on(one, other) or _goes_on(other, one)


def _goes_on(later: Branch, earlier: Branch) -> bool:
    """Whether a reply of the one is sent as history in the other."""
    history = [said.message for said in later.said if not said.sampled and said.message["role"] == "assistant"]
    replies = [said.message for said in earlier.said if said.sampled]
    return not {_mark(message) for message in history}.isdisjoint(_mark(message) for message in replies)


def _mark(message: Message) -> tuple[str, ...]:
    """By which a reply is known again, whatever the agent did to its blanks: its calls' ids, else its text."""
    return tuple(call["id"] for call in message.get("tool_calls") or ()) or (str(message["content"]).strip(),)


def _tool_names(branch: Branch) -> list[str]:
    return sorted(tool.get("function", tool).get("name", "") for tool in branch.tools)


def _system(branch: Branch) -> list[Message]:
    return [said.message for said in branch.said if said.message["role"] == "system"][:1]
