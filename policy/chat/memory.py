"""Conversations that may go on: what is held for a list of messages is found again, and extended.

Callers send whole conversations and no names, so a conversation is known by what its messages say: two that say the
same in other tokens are one here. Who records tokens keeps a `Held` for each session instead.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b

from policy.chat.bridge import Extension, Held, bridge, essence
from policy.chat.message import Message, Tool
from policy.chat.rendered import Rendered, Renderer


class Memory:
    """The newest replies and what led to them. Safe to share between threads."""

    def __init__(self, renderer: Renderer, n_held: int = 1024) -> None:
        """Holds `n_held` replies; the least recently used go first, and their conversations are rendered anew."""
        self._renderer = renderer
        self._n_held = n_held
        self._held: OrderedDict[bytes, Held] = OrderedDict()
        self._lock = threading.Lock()

    def prompt(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Rendered:
        """The prompt for the next reply: the longest conversation that is held extended, or a fresh rendering.

        Raises RenderError.
        """
        names = _names(messages, tools)
        for n in range(len(messages), 0, -1):
            if messages[n - 1]["role"] == "assistant" and (held := self._find(names[n])):
                next_ = bridge(self._renderer, held, messages, tools)
                if isinstance(next_, Extension):
                    return next_.rendered
        return self._renderer.render(messages, tools)

    def add(self, held: Held) -> None:
        name = _names(held.messages, held.tools)[-1]
        with self._lock:
            self._held[name] = held
            self._held.move_to_end(name)
            if len(self._held) > self._n_held:
                self._held.popitem(last=False)

    def _find(self, name: bytes) -> Held | None:
        with self._lock:
            held = self._held.get(name)
            if held is not None:
                self._held.move_to_end(name)
            return held


def _names(messages: Sequence[Message], tools: Sequence[Tool]) -> list[bytes]:
    """For each number of messages from the first, a hash of what they and the tools say."""
    names = [_hash(b"", tools)]
    for message in messages:
        names.append(_hash(names[-1], essence(message)))
    return names


def _hash(before: bytes, said: object) -> bytes:
    return blake2b(before + json.dumps(said, default=dict).encode(), digest_size=16).digest()
