"""A model with tokens that a test can see through: every id has a text, and many ids have the same one."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentgym.protocols import Delta, Message, Reply, Sampling, Tokens, Usage

STOP = 0
SPELLINGS = 4
"""Ids for each character: what is sampled is hardly ever what encoding its text would give."""


@dataclass(frozen=True)
class Ids:
    """`protocols.Prompt`."""

    ids: tuple[int, ...]


def encode(text: str) -> list[int]:
    return [1 + SPELLINGS * ord(character) for character in text]


def decode(ids: Sequence[int]) -> str:
    return "".join(chr((id - 1) // SPELLINGS) for id in ids if id != STOP)


def render(messages: Sequence[Message]) -> list[int]:
    ids: list[int] = []
    for message in messages:
        calls = [call["function"] for call in message.get("tool_calls") or ()]
        ids += encode(f"<{message['role']}>{message['content'] or ''}{json.dumps(calls) if calls else ''}")
        ids.append(STOP)
    return ids


class TokenFake:
    """Matches `protocols.TokenModel`: says what `script` says of the messages, in random spellings."""

    def __init__(self, script: Callable[[Sequence[int]], str] = lambda ids: f"reply to {len(ids)}", seed: int = 0):
        self.name = "token-fake"
        self.version = 0
        self.sent: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
        """Of every call: the ids that were read, and those that were sampled."""
        self._script = script
        self._rng = random.Random(seed)
        self._lock = threading.Lock()

    def render(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Ids:
        offered = encode(json.dumps(list(tools))) if tools else []
        return Ids((*offered, *render(messages), *encode("<assistant>")))

    def extend(self, prompt: Ids, sampled: Sequence[int], messages: Sequence[Message], first: int) -> Ids:
        closed = () if sampled and sampled[-1] == STOP else (STOP,)
        return Ids((*prompt.ids, *sampled, *closed, *render(messages), *encode("<assistant>")))

    def sample(
        self, prompt: Ids, tools: Sequence[Mapping[str, Any]] = (), sampling: Sampling | None = None
    ) -> Iterator[Delta | Reply]:
        text = self._script(prompt.ids)
        with self._lock:
            ids = [id + self._rng.randrange(SPELLINGS) for id in encode(text)] + [STOP]
            logprobs = [-self._rng.random() for _ in ids]
            self.sent.append((prompt.ids, tuple(ids)))
        yield Delta("content", text)
        tokens = Tokens(ids, logprobs, [self.version] * len(ids), [*text, ""])
        yield Reply({"role": "assistant", "content": text}, "stop", Usage(len(prompt.ids), len(ids)), tokens)

    def reply(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = (), sampling: Sampling | None = None
    ) -> Reply:
        *_, last = self.sample(self.render(messages, tools), tools, sampling)
        assert isinstance(last, Reply)
        return last
