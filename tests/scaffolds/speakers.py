"""A model that says its lines whatever it is asked, and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agentgym.protocols import FinishReason, Message, MessageToolCall, Reply, Sampling, Usage


class Speaker:
    """Unlike a scripted model it counts its own replies: a conversation that is cut short gets the next line too.

    For one episode. `chars_per_token`: how it counts; 0 where it does not.
    """

    def __init__(self, lines: Sequence[Reply], *, window_tokens: int | None = None, chars_per_token: int = 0) -> None:
        self.name = "speaker"
        self.window_tokens = window_tokens
        self.prompts: list[list[Message]] = []
        self.tools: list[list[Mapping[str, Any]]] = []
        self._lines = lines
        self._chars_per_token = chars_per_token

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] = (),
        sampling: Sampling | None = None,
    ) -> Reply:
        self.prompts.append(list(messages))
        self.tools.append(list(tools))
        line = self._lines[len(self.prompts) - 1]
        if not self._chars_per_token:
            return line
        n_tokens = len(json.dumps(messages)) // self._chars_per_token
        return Reply(line.message, line.finish_reason, Usage(n_tokens, len(json.dumps(line.message)) // 4))


def say(text: str | None, finish_reason: FinishReason = "stop") -> Reply:
    return Reply({"role": "assistant", "content": text}, finish_reason)


def call(*calls: tuple[str, Mapping[str, Any] | str], content: str | None = None, reasoning: str = "") -> Reply:
    """These calls in one reply, with ids c0, c1, …; arguments that are text stand as they are."""
    asked: list[MessageToolCall] = [
        {
            "id": f"c{n}",
            "type": "function",
            "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)},
        }
        for n, (name, given) in enumerate(calls)
    ]
    message: Message = {"role": "assistant", "content": content, "tool_calls": asked}
    if reasoning:
        message["reasoning_content"] = reasoning
    return Reply(message, "tool_calls")


def bash(command: str) -> Reply:
    return call(("bash", {"command": command}))


SUBMIT = call(("submit", {}))


def text_of(message: Message) -> str:
    assert message["content"] is not None
    return message["content"]
