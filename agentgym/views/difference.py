"""Where two trajectories part: what frames them, then turn by turn. What differs in time and ids alone is the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from agentgym.trajectory import Trajectory, Turn
from agentgym.views.turns import text_of


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same in both."""

    turn: int | None
    """From 0; None where it is of the whole trajectory."""
    what: str
    one: str | None
    """None: it has none."""
    other: str | None


def differences(one: Trajectory, other: Trajectory) -> Iterator[Difference]:
    """In the order of the episode: what the agents were given, what they did, how it ended."""
    yield from _compare(None, _given(one), _given(other))
    for number, turns in enumerate(zip_longest(one.turns, other.turns)):
        a, b = (_done(turn) if turn is not None else {} for turn in turns)
        yield from _compare(number, a, b)
    yield from _compare(None, _end(one), _end(other))


def _compare(turn: int | None, a: dict[str, str], b: dict[str, str]) -> Iterator[Difference]:
    for what in dict.fromkeys((*a, *b)):
        if a.get(what) != b.get(what):
            yield Difference(turn, what, a.get(what), b.get(what))


def _given(trajectory: Trajectory) -> dict[str, str]:
    first_reply = next((n for n, m in enumerate(trajectory.messages) if m["role"] == "assistant"), None)
    given = {
        "task": trajectory.task.name,
        "task checksum": trajectory.task.checksum,
        "scaffold": trajectory.scaffold,
        "model": trajectory.model,
        "tools": _json(trajectory.tools) if trajectory.tools else "",
    }
    for number, message in enumerate(trajectory.messages[:first_reply]):
        given[f"message {number} ({message['role']})"] = text_of(message)
    return given


def _done(turn: Turn) -> dict[str, str]:
    done = {"reasoning": turn.message.get("reasoning_content") or "", "reply": text_of(turn.message)}
    for number, step in enumerate(turn.steps):
        done[f"step {number}"] = f"{step.name} {_json(step.arguments)}".strip()
        done[f"observation {number}"] = step.observation
    if turn.finish_reason in ("length", "repetition"):
        done["finish reason"] = turn.finish_reason
    return done


def _end(trajectory: Trajectory) -> dict[str, str]:
    error = trajectory.error
    end = {
        "stop reason": trajectory.stop_reason.value if trajectory.stop_reason else "",
        "patch": trajectory.patch or "",
        "reward": "" if trajectory.reward is None else f"{trajectory.reward:g}",
        "error": f"{error.owner}: {error.message}" if error else "",
    }
    if trajectory.outcome is not None:
        for test, verdict in (trajectory.outcome.fail_to_pass | trajectory.outcome.pass_to_pass).items():
            end[f"test {test}"] = verdict
    return end


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
