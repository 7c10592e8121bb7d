"""The calls of one session as a tree: which earlier call a conversation goes on from, and where it departs from it.

It compares what messages say and knows no tokens, no models and no wire. Not safe for threads; the session locks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from agentgym.call import Call, Drift
from agentgym.protocols import Message

Tools = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a conversation hangs."""

    parent: int | None
    drift: Drift
    n_kept: int
    """Messages that it has in common with the parent's conversation, whose last is the parent's reply."""
    names: list[bytes]
    """For each number of messages from none, a digest of what they say."""
    same_tools: bool


class CallTree:
    """Answered calls, found again by what was said."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._tools: list[bytes] = []
        """A digest for each call."""
        self._begins: dict[bytes, int] = {}
        """Any beginning of a conversation, reply included, to the first call that has it."""
        self._ends: dict[bytes, int] = {}
        """A whole conversation, reply included, to the newest call that is it."""
        self._loose_ends: dict[bytes, int] = {}

    def find(self, messages: Sequence[Message], tools: Tools) -> Place:
        """Where `messages` belong, as things stand."""
        names = _names(messages, _essence)
        offered = _digest(list(tools))
        whole = self._find_end(messages, names, offered)
        if whole is not None:
            n, parent, drift = whole
            return Place(parent, drift, n, names, same_tools=True)
        for n in range(len(messages), 0, -1):
            if (begun := self._begins.get(names[n])) is not None:
                return Place(begun, "forked", n, names, same_tools=self._tools[begun] == offered)
        return Place(None, "root", 0, names, same_tools=not tools)

    def add(self, call: Call, place: Place, messages: Sequence[Message], tools: Tools) -> None:
        """An answered call to `messages`, whose place was found earlier."""
        assert call.reply is not None
        index = len(self.calls)
        self.calls.append(call)
        self._tools.append(_digest(list(tools)))
        end = _digest(_essence(call.reply), place.names[-1])
        for name in (*place.names[1:], end):
            self._begins.setdefault(name, index)
        self._ends[end] = index
        self._loose_ends[_names([*messages, call.reply], _loose)[-1]] = index

    def add_failed(self, call: Call) -> None:
        """One that nothing can go on from."""
        self.calls.append(call)
        self._tools.append(b"")

    def ids(self, index: int) -> list[int]:
        """The whole path of a call with tokens, what it sampled included."""
        call = self.calls[index]
        assert call.tokens is not None
        shared = [] if call.parent is None else self.ids_up_to(call.parent, call.tokens.n_shared)
        return [*shared, *call.tokens.prompt, *call.tokens.sampled]

    def ids_up_to(self, index: int, n: int) -> list[int]:
        """The first n ids of a path; the way up is walked, not recursed: sessions are hundreds of calls deep."""
        pieces: list[list[int]] = []
        at: int | None = index
        while n:
            assert at is not None
            call = self.calls[at]
            assert call.tokens is not None
            own = [*call.tokens.prompt, *call.tokens.sampled]
            if n > call.tokens.n_shared:
                pieces.append(own[: n - call.tokens.n_shared])
            n = min(n, call.tokens.n_shared)
            at = call.parent
        return [id for piece in reversed(pieces) for id in piece]

    def _find_end(
        self, messages: Sequence[Message], names: Sequence[bytes], offered: bytes
    ) -> tuple[int, int, Drift] | None:
        """The longest whole conversation that this one goes on from, with the same tools."""
        loose: list[bytes] = []
        for n in range(len(messages), 0, -1):
            if messages[n - 1]["role"] != "assistant":
                continue
            parent = self._ends.get(names[n])
            if parent is not None and self._tools[parent] == offered:
                return n, parent, "clean"
            loose = loose or _names(messages, _loose)
            parent = self._loose_ends.get(loose[n])
            if parent is not None and self._tools[parent] == offered:
                return n, parent, "realigned"
        return None


def _names(messages: Sequence[Message], essence: Any) -> list[bytes]:
    names = [b""]
    for message in messages:
        names.append(_digest(essence(message), names[-1]))
    return names


_write = json.JSONEncoder(sort_keys=True, default=str).encode


def _digest(said: object, before: bytes = b"") -> bytes:
    return blake2b(before + _write(said).encode(), digest_size=16).digest()


def _essence(message: Message) -> tuple[str, str, list[tuple[str, str]]]:
    """What must agree for a message to count as the same: who said it, the text, and the calls.

    The ids of calls are no part of what is said, and clients are not bound to send reasoning back.
    """
    calls = [(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls") or ()]
    return message["role"], message.get("content") or "", calls


def _loose(message: Message) -> object:
    """The essence, and of what a model said only what is left when it has gone through a client's parsers."""
    role, text, calls = _essence(message)
    if role != "assistant":
        return role, text, calls
    return role, " ".join(text.split()), [(name, _value(arguments)) for name, arguments in calls]


def _value(arguments: str) -> Any:
    """Clients write arguments anew, and write out what a call left at its default: `replace_all: false`, for one."""
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    if not isinstance(value, dict):
        return value
    return {name: said for name, said in value.items() if not (said is None or said is False or said in ("", [], {}))}
