"""Turns and steps as calls tell them, for agents whose tools run where nobody sees it.

A tool call's observation is what the agent sent back to the model. It knows no tool: what was asked for is on record as
it was asked for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agentgym.call import Call
from agentgym.protocols import Message
from agentgym.trajectory import StepRecord, Trajectory, Turn
from agentgym.views.conversation import Branch, branches, main_line, offered_tools


@dataclass(frozen=True, slots=True)
class MainConversation:
    """What a trajectory holds of an agent's main conversation."""

    turns: list[Turn]
    messages: list[Message]
    """As they stood at the end."""
    tools: list[dict[str, Any]]


def turns_of(calls: Sequence[Call]) -> MainConversation:
    """The main conversation; empty where nothing was answered."""
    line = main_line(branches(calls))
    if not line:
        return MainConversation([], [], [])
    indices = sorted({call for branch in line for call in branch.replies})
    return MainConversation([turn_at(calls, index) for index in indices], line[-1].messages, line[-1].tools)


def recorded_turns(trajectory: Trajectory, calls: Sequence[Call], main: Sequence[Branch]) -> dict[int, Turn]:
    """Each answered call's turn: the trajectory's own where it has it, which knows more, else as calls tell it.

    Its own are of the `main` conversation; other calls may have had the very same replies.
    """
    answered = [index for index, call in enumerate(calls) if call.reply is not None]
    in_main = {call for branch in main for call in branch.replies}
    owners = _owners(trajectory.turns, calls, [index for index in answered if index in in_main])
    if len(owners) < len(trajectory.turns):
        owners = _owners(trajectory.turns, calls, answered)
    return {index: owners[index] if index in owners else turn_at(calls, index) for index in answered}


def _owners(turns: Sequence[Turn], calls: Sequence[Call], indices: Sequence[int]) -> dict[int, Turn]:
    """The turns by the calls that they came of, as far as they are found in order."""
    left = iter(turns)
    turn = next(left, None)
    owners = {}
    for index in indices:
        if turn is not None and turn.message == calls[index].reply:
            owners[index], turn = turn, next(left, None)
    return owners


def turn_at(calls: Sequence[Call], index: int) -> Turn:
    """The turn of an answered call."""
    call = calls[index]
    assert call.reply is not None
    answer = _answer(calls, index)
    ended_at = call.started_at + timedelta(seconds=call.duration_s)
    return Turn(
        message=call.reply,
        finish_reason=call.finish_reason or "stop",
        usage=call.usage,
        started_at=call.started_at,
        duration_s=call.duration_s,
        steps=_steps(call.reply, answer, ended_at, reads_text=not offered_tools(calls, index)),
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the model read next."""

    messages: Sequence[Message]
    at: datetime | None
    """None: it was not asked again."""


def _answer(calls: Sequence[Call], index: int) -> _Answer:
    """What follows a reply in the first call that goes on from it, or repeats it in a history of its own."""
    reply, n_said = calls[index].reply, calls[index].n_kept + len(calls[index].messages) + 1
    asked = _tool_calls(reply)
    for later in calls[index + 1 :]:
        if later.parent == index and later.n_kept == n_said:
            return _Answer(_up_to_reply(later.messages), later.started_at)
        if asked:
            for at, message in enumerate(later.messages):
                if message["role"] == "assistant" and _tool_calls(message) == asked:
                    return _Answer(_up_to_reply(later.messages[at + 1 :]), later.started_at)
    return _Answer((), None)


def _tool_calls(message: Message | None) -> list[tuple[str, str]]:
    calls = message.get("tool_calls") or () if message is not None else ()
    return [(call["id"], call["function"]["name"]) for call in calls]


def _up_to_reply(messages: Sequence[Message]) -> Sequence[Message]:
    """An agent may put words into the model's mouth; what follows those answers them."""
    end = next((n for n, message in enumerate(messages) if message["role"] == "assistant"), len(messages))
    return messages[:end]


def _steps(reply: Message, answer: _Answer, began_at: datetime, *, reads_text: bool) -> list[StepRecord]:
    duration_s = max(0.0, (answer.at - began_at).total_seconds()) if answer.at else 0.0
    timing: dict[str, Any] = {"started_at": began_at, "duration_s": duration_s}  # of all of them, if there are several
    steps = []
    results = [message for message in answer.messages if message["role"] == "tool"]
    for call in reply.get("tool_calls") or ():
        result = next((message for message in results if message.get("tool_call_id") == call["id"]), None)
        if result is not None:
            results.remove(result)
        function = call["function"]
        steps.append(
            StepRecord(
                name=function["name"],
                arguments=read_arguments(function["arguments"]),
                id=call["id"],
                observation=text_of(result),
                **timing,
            )
        )
    if not steps and reads_text and answer.messages:
        observation = "\n".join(map(text_of, answer.messages))
        steps.append(StepRecord(name="", arguments=text_of(reply), observation=observation, **timing))
    return steps


def read_arguments(text: str) -> dict[str, Any] | str:
    """A JSON object; what is none stays text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, dict) else text


def text_of(message: Message | None) -> str:
    """A message's content for people; parts that are no text as JSON."""
    content: Any = message.get("content") if message is not None else None
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part["text"] if "text" in part else json.dumps(part) for part in content)
