"""Anthropic's `/v1/messages` and `/v1/messages/count_tokens`: what a request asks for. The answer: messages_answer.py.

`cache_control`, `thinking`, `output_config` and what else no model here can be held to is passed over; the raw record
has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from agentgym.gateway.dialects.dialect import Asked
from agentgym.gateway.dialects.messages_answer import MALFORMED, MessagesAnswer, refusal
from agentgym.gateway.dialects.reading import Shape, read
from agentgym.gateway.dialects.texts import estimate_tokens, joined, refuse_images, result_text, unseal
from agentgym.protocols import Message, MessageToolCall, Sampling

__all__ = ["NAME", "parse", "parse_count", "refusal"]

NAME: Literal["messages"] = "messages"

BILLING = "x-anthropic-billing-header:"
"""Claude Code's first system block: not meant for the model, and not the same from call to call."""


class _Text(Shape):
    type: Literal["text"]
    text: str


class _Thinking(Shape):
    type: Literal["thinking"]
    thinking: str = ""
    signature: str = ""

    @property
    def reasoning(self) -> str:
        return self.thinking or unseal(self.signature)


class _RedactedThinking(Shape):
    type: Literal["redacted_thinking"]
    data: str = ""

    @property
    def reasoning(self) -> str:
        return unseal(self.data)


class _ToolUse(Shape):
    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]

    def call(self) -> MessageToolCall:
        malformed = self.input.get(MALFORMED)
        text = malformed if isinstance(malformed, str) else json.dumps(self.input)
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": text}}


class _ToolResult(Shape):
    type: Literal["tool_result"]
    tool_use_id: str
    content: str | list[dict[str, Any]] | None = None
    is_error: bool | None = None

    def message(self) -> Message:
        text = result_text(self.content or "")
        if self.is_error and "error" not in text.lower():
            text = f"error: {text}"
        return {"role": "tool", "content": text, "tool_call_id": self.tool_use_id}


class _Unread(Shape):
    type: Literal["image", "document"]

    @model_validator(mode="after")
    def _refuse(self) -> _Unread:
        raise ValueError(refuse_images(self.type))


class _System(Shape):
    role: Literal["system"]
    content: str | list[_Text]

    def messages(self) -> Iterable[Message]:
        yield {"role": "system", "content": _text(self.content)}


class _User(Shape):
    role: Literal["user"]
    content: str | list[Annotated[_Text | _ToolResult | _Unread, Field(discriminator="type")]]

    def messages(self) -> Iterable[Message]:
        """The tool results first: they belong to the calls before them."""
        blocks = self.content if isinstance(self.content, list) else []
        results = [block.message() for block in blocks if isinstance(block, _ToolResult)]
        yield from results
        if len(results) < len(blocks) or not results:
            yield {"role": "user", "content": _text(self.content)}


class _Assistant(Shape):
    role: Literal["assistant"]
    content: str | list[Annotated[_Text | _Thinking | _RedactedThinking | _ToolUse, Field(discriminator="type")]]

    def messages(self) -> Iterable[Message]:
        blocks = self.content if isinstance(self.content, list) else []
        calls = [block.call() for block in blocks if isinstance(block, _ToolUse)]
        message: Message = {"role": "assistant", "content": _text(self.content) or (None if calls else "")}
        thinking = (block.reasoning for block in blocks if isinstance(block, _Thinking | _RedactedThinking))
        if reasoning := joined(filter(None, thinking)):
            message["reasoning_content"] = reasoning
        if calls:
            message["tool_calls"] = calls
        yield message


def _text(content: str | Sequence[Shape]) -> str:
    return content if isinstance(content, str) else joined(b.text for b in content if isinstance(b, _Text))


class _Tool(Shape):
    name: str = Field(min_length=1)
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _defined(self) -> _Tool:
        if self.input_schema is None and self.type in (None, "custom"):
            raise ValueError('found a tool without "input_schema", wanted the JSON schema of its arguments')
        return self

    def function(self) -> dict[str, Any]:
        described = {} if self.description is None else {"description": self.description}
        return {"type": "function", "function": {"name": self.name, **described, "parameters": self.input_schema}}


class _Prompt(Shape):
    """The part of a request that the model reads, which is all of one to /count_tokens."""

    model: str | None = None
    system: str | list[_Text] | None = None
    messages: list[Annotated[_System | _User | _Assistant, Field(discriminator="role")]] = Field(min_length=1)
    tools: list[_Tool] | None = None

    @model_validator(mode="after")
    def _ends_with_the_user(self) -> _Prompt:
        if self.messages[-1].role == "assistant":
            raise ValueError("found an assistant message at the end, wanted a user's: no reply is begun for the model")
        return self

    def prompt(self) -> list[Message]:
        system = [self.system] if isinstance(self.system, str) else [block.text for block in self.system or ()]
        system = [text for text in system if not text.startswith(BILLING)]
        said = [message for given in self.messages for message in given.messages()]
        return [{"role": "system", "content": joined(system)}, *said] if any(system) else said

    def functions(self) -> list[dict[str, Any]]:
        return [tool.function() for tool in self.tools or () if tool.input_schema is not None]


class _Request(_Prompt):
    max_tokens: int = Field(gt=0)
    stream: bool | None = None
    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    stop_sequences: list[str] | None = None


def parse(body: Mapping[str, Any], model: str) -> Asked:
    """Raises Fault."""
    request = read(_Request, body)
    messages, tools = request.prompt(), request.functions()
    return Asked(
        messages=messages,
        tools=tools,
        sampling=Sampling(
            request.max_tokens,
            request.temperature,
            request.top_p,
            tuple(text for text in request.stop_sequences or () if text),
        ),
        stream=bool(request.stream),
        stripped=tuple(tool.name for tool in request.tools or () if tool.input_schema is None),
        answer=MessagesAnswer(request.model or model, estimate_tokens(messages, tools)),
    )


def parse_count(body: Mapping[str, Any]) -> tuple[list[Message], list[dict[str, Any]]]:
    """The messages and tools of a request to /count_tokens. Raises Fault."""
    counted = read(_Prompt, body)
    return counted.prompt(), counted.functions()
