"""From one turn to the next, token-in token-out: ids that are held are never rendered again.

A conversation that goes on is held ids, byte for byte, and new ids after them. Where the caller has rewritten what is
held (another system prompt, other tools, compaction, an edited reply) that is a fork, said with its reason: those ids
are a new sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from policy.chat.message import Message, Tool, calls_of
from policy.chat.rendered import Rendered, Renderer


class ForkReason(StrEnum):
    """What was rewritten."""

    TOOLS = "tools"
    """Other tools are offered."""
    SHORTENED = "shortened"
    """Messages that are held are gone from the end."""
    MESSAGE = "message"
    """A message that somebody else wrote has changed."""
    REPLY = "reply"
    """A reply of the model has changed."""


@dataclass(frozen=True, slots=True)
class Held:
    """A conversation up to and with a sampled reply."""

    messages: tuple[Message, ...]
    """The reply's, as it was parsed, is the last."""
    tools: tuple[Tool, ...]
    rendered: Rendered
    """The prompt's ids and the sampled ones, which the last span's body covers."""

    @classmethod
    def after(
        cls,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        prompt: Rendered,
        sampled: Sequence[int],
        reply: Message,
    ) -> Held:
        """What is held when `prompt`, rendered from `messages`, has been answered."""
        opening = prompt.spans[-1]
        end = len(prompt.ids) + len(sampled)
        span = replace(opening, message=len(messages), body_end=end, end=end)
        rendered = Rendered((*prompt.ids, *sampled), (*prompt.spans[:-1], span))
        return cls((*messages, reply), tuple(tools), rendered)


@dataclass(frozen=True, slots=True)
class Extension:
    """The next prompt: the held ids and what is new."""

    rendered: Rendered
    n_held: int
    """rendered.ids[:n_held] are the held ones."""


@dataclass(frozen=True, slots=True)
class Fork:
    """The next prompt, rendered afresh, because what is held has been rewritten."""

    rendered: Rendered
    reason: ForkReason
    message: int | None = None
    """Index of the first message that differs."""


def bridge(renderer: Renderer, held: Held, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> Extension | Fork:
    """The prompt for the reply to `messages`, given what is held. Raises RenderError."""
    if list(held.tools) != list(tools):
        return Fork(renderer.render(messages, tools), ForkReason.TOOLS)
    for n, (old, new) in enumerate(zip(held.messages, messages, strict=False)):
        if essence(old) != essence(new):
            reason = ForkReason.REPLY if old["role"] == new["role"] == "assistant" else ForkReason.MESSAGE
            return Fork(renderer.render(messages, tools), reason, n)
    n = len(held.messages)
    if len(messages) < n:
        return Fork(renderer.render(messages, tools), ForkReason.SHORTENED, len(messages))
    return Extension(renderer.extend(held.rendered, messages[n:], n), len(held.rendered.ids))


def essence(message: Message) -> tuple[str, str, list[Any]]:
    """What must agree for a message to count as the same: role, text, and the calls' names and arguments.

    The ids of calls are no part of a prompt, and clients are not bound to send reasoning back.
    """
    return (message["role"], message.get("content") or "", calls_of(message))
