"""OpenAI's `/v1/responses`: what a request asks for. How it is answered is in responses_answer.py.

Nothing is stored here: a request holds its whole conversation. `tool_choice`, `text`, `reasoning` and what else no
model here can be held to is passed over; the raw record has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from agentgym.gateway.dialects.dialect import Asked
from agentgym.gateway.dialects.reading import Shape, read
from agentgym.gateway.dialects.responses_answer import ResponsesAnswer, refusal
from agentgym.gateway.dialects.texts import joined, refuse_images, result_text, unseal
from agentgym.protocols import FunctionCall, Message, Sampling

__all__ = ["NAME", "parse", "refusal"]

NAME: Literal["responses"] = "responses"


class _Part(Shape):
    type: Literal["input_text", "output_text", "text", "refusal", "input_image", "input_file", "input_audio"]
    text: str = ""
    refusal: str = ""

    @model_validator(mode="after")
    def _is_text(self) -> _Part:
        if self.type in ("input_image", "input_file", "input_audio"):
            raise ValueError(refuse_images(self.type))
        return self


class _Said(Shape):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_Part]

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else joined(p.text or p.refusal for p in self.content)


class _FunctionCall(Shape):
    call_id: str
    name: str
    arguments: str


class _FunctionCallOutput(Shape):
    call_id: str
    output: str | list[dict[str, Any]]


class _Text(Shape):
    text: str = ""


class _Reasoning(Shape):
    summary: Sequence[_Text] = ()
    content: list[_Text] | None = None
    encrypted_content: str | None = None

    @property
    def text(self) -> str:
        said = joined(part.text for part in self.content or self.summary)
        return said or unseal(self.encrypted_content or "")


class _Reference(Shape):
    @model_validator(mode="after")
    def _refuse(self) -> _Reference:
        raise ValueError("found an item_reference, wanted the item itself: nothing is stored here, set store to false")


def _kind(item: Any) -> str | None:
    """Messages need not say that they are."""
    return item.get("type", "message" if "role" in item else None) if isinstance(item, dict) else None


ITEMS = ("a message", "function_call", "function_call_output", "reasoning")

_Item = Annotated[
    Annotated[_Said, Tag("message")]
    | Annotated[_FunctionCall, Tag("function_call")]
    | Annotated[_FunctionCallOutput, Tag("function_call_output")]
    | Annotated[_Reasoning, Tag("reasoning")]
    | Annotated[_Reference, Tag("item_reference")],
    Discriminator(_kind, custom_error_type="item", custom_error_message=f"Input should be {', '.join(ITEMS)}"),
]


class _Tool(Shape):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _named(self) -> _Tool:
        if self.type == "function" and not self.name:
            raise ValueError("found a function without a name, wanted its name, description and parameters")
        return self

    def function(self) -> dict[str, Any]:
        described = {} if self.description is None else {"description": self.description}
        parameters = self.parameters or {"type": "object", "properties": {}}
        return {"type": "function", "function": {"name": self.name, **described, "parameters": parameters}}


class _Request(Shape):
    model: str | None = None
    input: str | list[_Item]
    instructions: str | None = None
    tools: list[_Tool] | None = None
    stream: bool | None = None
    max_output_tokens: int | None = Field(default=None, gt=0)
    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    include: list[str] | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: str | dict[str, Any] | None = None

    @field_validator("previous_response_id", "conversation", "background")
    @classmethod
    def _nothing_stored(cls, value: Any) -> Any:
        if value:
            raise ValueError(f"found {value!r}, wanted the whole conversation in `input`: nothing is stored here")
        return value

    @field_validator("input")
    @classmethod
    def _not_empty(cls, value: Any) -> Any:
        if not value:
            raise ValueError("found nothing, wanted a text or items")
        return value


def parse(body: Mapping[str, Any], model: str) -> Asked:
    """Raises Fault."""
    request = read(_Request, body)
    items = request.input
    said: list[Message] = [{"role": "user", "content": items}] if isinstance(items, str) else _messages(items)
    if request.instructions:
        said = [{"role": "system", "content": request.instructions}, *said]
    tools = request.tools or []
    return Asked(
        messages=said,
        tools=[tool.function() for tool in tools if tool.type == "function"],
        sampling=Sampling(request.max_output_tokens, request.temperature, request.top_p),
        stream=bool(request.stream),
        stripped=tuple(tool.name or tool.type for tool in tools if tool.type != "function"),
        answer=ResponsesAnswer(
            request.model or model, body, sealed="reasoning.encrypted_content" in (request.include or ())
        ),
    )


def _messages(items: Sequence[_Item]) -> list[Message]:
    """Items are finer than messages: what a model says in one reply comes as reasoning, then text, then calls."""
    messages: list[Message] = []
    for item in items:
        if isinstance(item, _FunctionCallOutput):
            messages.append({"role": "tool", "content": result_text(item.output), "tool_call_id": item.call_id})
        elif isinstance(item, _Said) and item.role != "assistant":
            messages.append({"role": "system" if item.role == "developer" else item.role, "content": item.text})
        elif isinstance(item, _FunctionCall):
            function: FunctionCall = {"name": item.name, "arguments": item.arguments}
            calls = _reply(messages).setdefault("tool_calls", [])
            calls.append({"id": item.call_id, "type": "function", "function": function})
        elif isinstance(item, _Said):
            _reply(messages, "content", "tool_calls")["content"] = item.text
        elif isinstance(item, _Reasoning) and item.text:
            _reply(messages, "reasoning_content", "content", "tool_calls")["reasoning_content"] = item.text
    return messages


def _reply(messages: list[Message], *without: str) -> Message:
    """The assistant message that is being put together; a new one where it has one of these already."""
    last = messages[-1] if messages else None
    if last is None or last["role"] != "assistant" or any(last.get(field) is not None for field in without):
        last = {"role": "assistant", "content": None}
        messages.append(last)
    return last
