"""What all dialects do alike with the texts of a conversation."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from agentgym.protocols import Delta, FinishReason, Message, Reply


def joined(parts: Iterable[str]) -> str:
    """The parts of one message as the one text that a model reads."""
    return "\n".join(parts)


def result_text(content: str | list[dict[str, Any]]) -> str:
    """What a tool gave. Of what is not text the model is told that it was there: the agent cannot take it back."""
    if isinstance(content, str):
        return content
    texts = (part.get("text") for part in content)
    return joined(
        text if isinstance(text, str) else f"[{part.get('type', 'part')}: not shown, this model reads text only]"
        for text, part in zip(texts, content, strict=True)
    )


def estimate_tokens(messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> int:
    """Of a prompt, where the model does not count: a token is four characters."""
    return len(json.dumps([messages, tools])) // 4


def refuse_images(kind: str) -> str:
    """A validator's message."""
    return f"found {kind}, wanted text: this model reads text only, leave it out"


def seal(reasoning: str) -> str:
    """Reasoning as an opaque signature: clients that drop the readable copy bring this one back."""
    return base64.b64encode(reasoning.encode("utf-8", "replace")).decode()


def unseal(signature: str) -> str:
    """The reasoning; empty for another server's signature."""
    try:
        return base64.b64decode(signature, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def ending(reply: Reply) -> FinishReason:
    """Why the reply ended, as clients must understand it: calls are to be run, and a loop was cut off."""
    if reply.finish_reason == "repetition":
        return "length"
    if reply.finish_reason == "stop" and reply.message.get("tool_calls"):
        return "tool_calls"
    return reply.finish_reason


def reasoning_of(reply: Reply) -> str:
    return _unless_blank(reply.message.get("reasoning_content"))


def content_of(reply: Reply) -> str:
    return _unless_blank(reply.message["content"])


def _unless_blank(text: str | None) -> str:
    """Blanks around markup are no text: they would be a block of their own."""
    return text if text and text.strip() else ""


class Told:
    """How much of a reply has been streamed already."""

    def __init__(self) -> None:
        self._said: dict[str, list[str]] = {"reasoning": [], "content": []}
        self._blanks: dict[str, list[str]] = {"reasoning": [], "content": []}

    def push(self, delta: Delta) -> str:
        """What of it to send on: leading blanks wait for the text that they lead to."""
        said, blanks = self._said[delta.kind], self._blanks[delta.kind]
        if not said and not delta.text.strip():
            blanks.append(delta.text)
            return ""
        text = "".join(blanks) + delta.text
        blanks.clear()
        said.append(text)
        return text

    def said(self, kind: Literal["reasoning", "content"]) -> str:
        return "".join(self._said[kind])

    def rest(self, reply: Reply) -> list[Delta]:
        """What the whole reply has beyond it; of a model that does not stream that is all."""
        wholes = (Delta("reasoning", reasoning_of(reply)), Delta("content", content_of(reply)))
        left = []
        for delta in wholes:
            said = self.said(delta.kind)
            self._blanks[delta.kind].clear()  # the whole has them too
            if delta.text.startswith(said) and delta.text != said:
                left.append(Delta(delta.kind, delta.text[len(said) :]))
        return left
