"""An episode's turns as pages show them: of a trajectory, or of a conversation that is still going on."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from agentgym.call import Call, Drift
from agentgym.protocols import Usage
from agentgym.trajectory import StepRecord, Trajectory
from agentgym.viewer.action import Action, read_action
from agentgym.viewer.message import Item
from agentgym.viewer.passage import Passage, fold

PAGE = 100
"""Turns on one page."""
STEPS = 50
"""Shown of one turn."""

_FENCE = re.compile(r"^(```+)[^\n`]*\n(.*?)\n?^\1[ \t]*$\n?", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Act:
    """A tool call and what came back."""

    action: Action
    result: Passage | None = None
    """None: nothing yet."""
    is_error: bool = False
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class TurnView:
    """One model reply, what was said before it, and what it led to."""

    number: int
    """Counts from 1."""
    before: tuple[Item, ...]
    """Messages that are no results of the turn before."""
    reasoning: Passage
    text: Passage
    acts: tuple[Act, ...]
    n_more_acts: int = 0
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    model_s: float | None = None
    """Waiting for the reply."""
    call: int | None = None
    """Its place among the calls."""
    drift: Drift = "clean"
    n_tokens: int = 0
    """Whose ids are on record."""

    @property
    def summary(self) -> str:
        """One short line."""
        if not self.acts:
            return self.text.head.strip().split("\n", 1)[0][:120]
        action = self.acts[0].action
        return f"{action.name} {action.summary}".strip()

    @property
    def is_error(self) -> bool:
        return any(act.is_error for act in self.acts)


def of_trajectory(trajectory: Trajectory, first: int) -> list[TurnView]:
    """A page of turns from number `first` on."""
    calls = calls_of(trajectory)
    last = min(first - 1 + PAGE, len(trajectory.turns))
    return [_recorded(trajectory, n, calls[n]) for n in range(first - 1, last)]


def of_conversation(items: Sequence[Item], calls: Sequence[Call], first: int = 1) -> list[TurnView]:
    """A page of a conversation's turns; results are found by the id of the tool call they answer."""
    starts = [n for n, item in enumerate(items) if item.role == "assistant"]
    pieces = [items[start:end] for start, end in pairwise([*starts, len(items)])]
    turns = []
    for number, (reply, *after) in enumerate(pieces[first - 1 : first - 1 + PAGE], start=first):
        results = {str(item.message.get("tool_call_id")): item for item in after if item.role == "tool"}
        asked = reply.tool_calls()
        acts = tuple(Act(action, results[id].content if id in results else None) for id, action in asked[:STEPS])
        call = calls[reply.call] if reply.call is not None else None
        turns.append(
            TurnView(
                number=number,
                before=tuple(item for item in pieces[number - 2][1:] if item.role != "tool") if number > 1 else (),
                reasoning=reply.reasoning,
                text=reply.content,
                acts=acts,
                n_more_acts=len(asked) - len(acts),
                finish_reason=call.finish_reason if call else None,
                usage=call.usage if call else Usage(),
                model_s=call.duration_s if call else None,
                call=reply.call,
                drift=call.drift if call else "clean",
                n_tokens=_n_tokens(call),
            )
        )
    return turns


def preface(items: Sequence[Item]) -> list[Item]:
    """What stands before the first reply."""
    replies = (n for n, item in enumerate(items) if item.role == "assistant")
    return list(items[: next(replies, len(items))])


def n_replies(items: Sequence[Item]) -> int:
    return sum(item.role == "assistant" for item in items)


def calls_of(trajectory: Trajectory) -> list[int | None]:
    """The call that each turn is the reply to; None where the gateway was not asked."""
    places: dict[str, list[int]] = {}
    for n in reversed(range(len(trajectory.calls))):
        places.setdefault(json.dumps(trajectory.calls[n].reply), []).append(n)
    return [found.pop() if (found := places.get(json.dumps(turn.message))) else None for turn in trajectory.turns]


def _recorded(trajectory: Trajectory, n: int, place: int | None) -> TurnView:
    turn = trajectory.turns[n]
    reply = Item(turn.message, f"/turns/{n}/message")
    call = trajectory.calls[place] if place is not None else None
    text = _without_commands(reply.text, turn.steps)
    return TurnView(
        number=n + 1,
        before=_put_in(trajectory, n, place),
        reasoning=reply.reasoning,
        text=fold(text, f"{reply.at}/content"),
        acts=tuple(_act(step, f"/turns/{n}/steps/{place}") for place, step in enumerate(turn.steps[:STEPS])),
        n_more_acts=max(0, len(turn.steps) - STEPS),
        finish_reason=turn.finish_reason,
        usage=turn.usage,
        model_s=turn.duration_s,
        call=place,
        drift=call.drift if call else "clean",
        n_tokens=_n_tokens(call),
    )


def _act(step: StepRecord, at: str) -> Act:
    action = read_action(step.name, step.arguments, f"{at}/arguments")
    return Act(action, fold(step.observation, f"{at}/observation"), step.is_error, step.duration_s)


def _put_in(trajectory: Trajectory, n: int, place: int | None) -> tuple[Item, ...]:
    """What the model was told between two turns, the results of its tool calls apart."""
    if n == 0 or place is None or trajectory.calls[place].drift in ("root", "forked"):
        return ()
    seen = [step.observation for step in trajectory.turns[n - 1].steps]
    said = (Item(message, f"/calls/{place}/messages/{m}") for m, message in enumerate(trajectory.calls[place].messages))
    return tuple(
        item for item in said if item.role in ("user", "system") and not any(text in item.text for text in seen if text)
    )


def _without_commands(text: str, steps: Sequence[StepRecord]) -> str:
    """Without the fenced blocks that were read as the turn's actions: these are shown by themselves."""
    commands = {str(step.arguments.get("command") or step.name) for step in steps if isinstance(step.arguments, dict)}
    return _FENCE.sub(lambda block: "" if block[2].strip() in commands else block[0], text).strip("\n")


def _n_tokens(call: Call | None) -> int:
    return len(call.tokens.sampled) if call and call.tokens else 0
