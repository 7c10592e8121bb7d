"""OpenAI's `/v1/chat/completions`: what a request asks for. How it is answered is in chat_answer.py.

`tool_choice`, `parallel_tool_calls`, `response_format` and what else no model here can be held to is passed over; the
raw record has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from agentgym.gateway.dialects.chat_answer import ChatAnswer, refusal
from agentgym.gateway.dialects.dialect import Asked
from agentgym.gateway.dialects.reading import Shape, read
from agentgym.gateway.dialects.texts import joined, refuse_images
from agentgym.protocols import Message, MessageToolCall, Sampling

__all__ = ["NAME", "parse", "refusal"]

NAME: Literal["chat"] = "chat"


class _Part(Shape):
    type: Literal["text", "refusal", "image_url", "input_audio", "file"]
    text: str = ""
    refusal: str = ""

    @model_validator(mode="after")
    def _is_text(self) -> _Part:
        if self.type not in ("text", "refusal"):
            raise ValueError(refuse_images(self.type))
        return self


class _Function(Shape):
    name: str
    arguments: str | dict[str, Any] = ""


class _ToolCall(Shape):
    id: str
    type: Literal["function"] = "function"
    function: _Function


class _Message(Shape):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[_Part] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None
    tool_call_id: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> _Message:
        if self.role == "tool" and self.tool_call_id is None:
            raise ValueError("found a tool message without tool_call_id, wanted the id of the call that it answers")
        if self.role != "assistant" and self.content is None:
            raise ValueError(f"found a {self.role} message without content, wanted text")
        return self

    def message(self) -> Message:
        content = self.content
        if isinstance(content, list):
            content = joined(part.text or part.refusal for part in content)
        role = "system" if self.role == "developer" else self.role
        message: Message = {"role": role, "content": content}
        if self.role == "assistant":
            if reasoning := self.reasoning_content or self.reasoning:
                message["reasoning_content"] = reasoning
            if self.tool_calls:
                message["tool_calls"] = [_call(call) for call in self.tool_calls]
        if self.role == "tool" and self.tool_call_id is not None:
            message["tool_call_id"] = self.tool_call_id
        return message


def _call(call: _ToolCall) -> MessageToolCall:
    arguments = call.function.arguments
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": text}}


class _Definition(Shape):
    name: str = Field(min_length=1)
    description: str | None = None
    parameters: dict[str, Any] | None = None


class _Tool(Shape):
    type: str
    function: _Definition | None = None

    @model_validator(mode="after")
    def _defined(self) -> _Tool:
        if self.type == "function" and self.function is None:
            raise ValueError('found a tool without "function", wanted its name, description and parameters')
        return self


class _StreamOptions(Shape):
    include_usage: bool | None = None


class _Request(Shape):
    model: str | None = None
    messages: list[_Message] = Field(min_length=1)
    tools: list[_Tool] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = Field(default=None, gt=0)
    max_completion_tokens: int | None = Field(default=None, gt=0)
    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    stop: str | list[str] | None = None
    n: int | None = None
    logprobs: bool | None = None
    functions: list[Any] | None = None

    @field_validator("n")
    @classmethod
    def _one(cls, value: int | None) -> None:
        if value not in (None, 1):
            raise ValueError(f"found {value}, wanted 1: ask again for another reply")

    @field_validator("functions")
    @classmethod
    def _no_old_form(cls, value: list[Any] | None) -> None:
        if value:
            raise ValueError("found the old form of tools, wanted them in `tools`")


def parse(body: Mapping[str, Any], model: str) -> Asked:
    """Raises Fault."""
    request = read(_Request, body)
    tools, raw = request.tools or [], body.get("tools") or []
    kept = [number for number, tool in enumerate(tools) if tool.type == "function"]
    stripped = [_tool_name(raw[number]) for number in range(len(tools)) if number not in kept]
    stop = [request.stop] if isinstance(request.stop, str) else request.stop or ()
    options = request.stream_options
    return Asked(
        messages=[message.message() for message in request.messages],
        tools=[{"type": "function", "function": raw[number]["function"]} for number in kept],
        sampling=Sampling(
            request.max_completion_tokens or request.max_tokens,
            request.temperature,
            request.top_p,
            tuple(text for text in stop if text),
        ),
        stream=bool(request.stream),
        stripped=tuple(stripped),
        answer=ChatAnswer(
            request.model or model,
            logprobs=bool(request.logprobs),
            include_usage=bool(options and options.include_usage),
        ),
    )


def _tool_name(tool: Mapping[str, Any]) -> str:
    """Of a tool that is no function: what it calls itself, else its type."""
    inner = tool.get(tool["type"])
    name = inner.get("name") if isinstance(inner, dict) else tool.get("name")
    return name if isinstance(name, str) else str(tool["type"])
