"""Working memory: every message, until they fill a share of the model's window; then the older turns have to go.

It counts tokens by what the model says it has read, and by characters what it has not read yet. It decides what goes,
and knows nothing of what takes its place.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentgym.protocols import Message, Reply

CHARS_PER_TOKEN = 3
"""Of English and code there are rather four: too many tokens are guessed, not too few."""


class Window:
    """The messages, in order. Matches WorkingMemory."""

    def __init__(self, window_tokens: int, *, full: float = 0.75, kept: float = 0.2) -> None:
        """`full`: the share of the window from which on older turns go; the rest is room for replies. `kept`: the share
        that the last turns may fill, which stay; the very last one stays whatever its size."""
        self.full_tokens = int(window_tokens * full)
        self.kept_tokens = int(window_tokens * kept)
        self._opening: list[Message] = []
        self._turns: list[list[Message]] = []
        self._read_tokens: int | None = None
        """Of all messages up to the last reply, that included."""

    @property
    def messages(self) -> list[Message]:
        return [*self._opening, *(message for turn in self._turns for message in turn)]

    def open(self, opening: Sequence[Message]) -> None:
        self._turns = self._turns[self._n_old_turns() :]
        self._opening = list(opening)
        self._read_tokens = None

    def add(self, reply: Reply, answers: Sequence[Message]) -> None:
        self._turns.append([reply.message, *answers])
        usage = reply.usage
        # not every model counts
        self._read_tokens = usage.prompt_tokens + usage.completion_tokens if usage.prompt_tokens else None

    def outgrown(self) -> range:
        first = len(self._opening)
        return range(first, first + sum(len(turn) for turn in self._turns[: self._n_old_turns()]))

    @property
    def n_tokens(self) -> int:
        """Of the next prompt, about."""
        if self._read_tokens is None:
            return count_tokens(self.messages)
        return self._read_tokens + count_tokens(self._turns[-1][1:])

    def _n_old_turns(self) -> int:
        if self.n_tokens < self.full_tokens:
            return 0
        sizes = [count_tokens(turn) for turn in self._turns]
        first = len(sizes) - 1
        while first > 0 and sum(sizes[first - 1 :]) <= self.kept_tokens:
            first -= 1
        # a summary of little is no smaller, and each costs a reply
        return first if sum(sizes[: max(first, 0)]) > self.kept_tokens else 0


def count_tokens(messages: Sequence[Message]) -> int:
    """By their characters, tool calls and reasoning included."""
    n_chars = 0
    for message in messages:
        n_chars += len(message["content"] or "") + len(message.get("reasoning_content") or "")
        for call in message.get("tool_calls") or ():
            n_chars += len(call["function"]["name"]) + len(call["function"]["arguments"])
    return n_chars // CHARS_PER_TOKEN
