"""An ATIF v1.7 document as a trajectory again: `from_atif`, the way back of `atif.py`.

Documents of other producers are read too: what they do not say of an episode is empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agentgym.call import Call
from agentgym.protocols import Message
from agentgym.trajectory import Trajectory, Turn
from agentgym.views import atif_schema as atif
from agentgym.views.atif_metrics import tokens_of, usage_of
from agentgym.views.atif_steps import EPOCH, messages_of, records_of
from agentgym.views.token_path import token_path


def from_atif(document: atif.Document) -> Trajectory:
    """The trajectory that `to_atif` was given, but for what its module says is lost."""
    id = document.trajectory_id or document.session_id or "atif"
    main = _Reader(document)
    conversations = [main, *map(_Reader, document.subagent_trajectories or ())]
    return Trajectory.model_validate(
        {
            "id": id,
            "task": {"name": "", "checksum": ""},
            "scaffold": document.agent.name,
            "model": document.agent.model_name or "",
            "backend": "",
            "started_at": document.steps[0].timestamp or EPOCH,
            **(document.extra or {}).get("trajectory", {}),
            "messages": main.messages,
            "tools": document.agent.tool_definitions or [],
            "turns": main.turns,
            "calls": list(_in_order([call for one in conversations for call in one.asked()])),
        }
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A call whose parent is in the same list, and where it stood among all of the episode."""

    order: tuple[int, str]
    call: Call
    parent: _Asked | None


class _Reader:
    """The conversation of one document."""

    def __init__(self, document: atif.Document) -> None:
        self._tools = document.agent.tool_definitions
        self._calls: list[Call] = []
        """With parents in this list."""
        self._orders: list[tuple[int, str]] = []
        self._n_said: int | None = None
        """Of the call before, with its reply; None: nothing goes on from it."""
        self.messages: list[Message] = []
        """As they stood at the end."""
        self.turns: list[Turn] = []
        for step in document.steps:
            self._read(step)

    def asked(self) -> list[_Asked]:
        asked: list[_Asked] = []
        for order, call in zip(self._orders, self._calls, strict=True):
            asked.append(_Asked(order, call, None if call.parent is None else asked[call.parent]))
        return asked

    def _read(self, step: atif.Step) -> None:
        extra = step.extra or {}
        if extra.get("begins_context"):
            self.messages, self._n_said = [], None
        if extra.get("is_empty"):
            return
        said = messages_of(step)
        replied = step.source == "agent" and not step.is_copied_context and extra.get("is_sampled", True)
        if replied:
            self._reply(step, said[0], extra.get("call", {}))
        if not (replied and step.llm_call_count == 0):  # a program's step was said to nobody
            self.messages += said

    def _reply(self, step: atif.Step, message: Message, known: dict[str, Any]) -> None:
        common: dict[str, Any] = {
            "finish_reason": known.get("finish_reason") or "stop",
            "usage": usage_of(step.metrics),
            "started_at": step.timestamp or EPOCH,
            "duration_s": known.get("duration_s", 0.0),
        }
        self.turns.append(Turn(message=message, steps=records_of(step), **common))
        if step.llm_call_count == 0:
            return
        parent = len(self._calls) - 1 if self._n_said is not None else None
        n_kept = self._n_said or 0
        before = token_path(self._calls, parent) if parent is not None and self._calls[parent].tokens else []
        self._orders.append((known.get("index", len(self._calls)), common["started_at"]))
        self._calls.append(
            Call(
                parent=parent,
                drift="root" if parent is None else "clean",
                n_kept=n_kept,
                messages=self.messages[n_kept:],
                tools=self._tools if parent is None else None,
                reply=message,
                tokens=tokens_of(step.metrics, before),
                dialect=known.get("dialect", "direct"),
                stripped=known.get("stripped", []),
                **common,
            )
        )
        self._n_said = len(self.messages) + 1


def _in_order(asked: list[_Asked]) -> Iterator[Call]:
    """All calls in one list, each after its parent."""
    asked = sorted(asked, key=lambda one: one.order)
    places = {id(one): place for place, one in enumerate(asked)}
    for one in asked:
        parent = None if one.parent is None else places[id(one.parent)]
        yield one.call.model_copy(update={"parent": parent})
