"""Messages and tools in OpenAI's shape, as plain mappings, and what a model's reply was read as.

It knows no chat format and no tokens.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from policy.tokenizer import clean

Message = Mapping[str, Any]
"""{"role", "content": text or None, "reasoning_content"?, "tool_calls"?: [{"id", "type", "function": {"name",
"arguments": JSON text}}], "tool_call_id"?}"""

Tool = Mapping[str, Any]
"""{"type": "function", "function": {"name", "description", "parameters": JSON schema}}"""

BLANKS = " \t\r\n"
"""JSON's."""
DEEPEST = 100
"""Levels of a JSON value."""


class RenderError(ValueError):
    """A message that has no place in the chat format."""


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call that was read in full."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a reply's ids say. Nothing that was sampled is lost: a call that cannot be read is left in the content."""

    content: str
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    malformed: tuple[str, ...] = ()
    """For each call that could not be read: why not."""
    ended: bool = True
    """Whether the model ended its turn itself."""

    def message(self) -> dict[str, Any]:
        """In OpenAI's shape; the calls get fresh ids."""
        message: dict[str, Any] = {"role": "assistant", "content": self.content or (None if self.calls else "")}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.calls:
            message["tool_calls"] = [
                {
                    "id": f"call_{secrets.token_hex(12)}",
                    "type": "function",
                    "function": {"name": call.name, "arguments": to_json(call.arguments)},
                }
                for call in self.calls
            ]
        return message


def text_of(message: Message) -> str:
    """The content, none as empty. Raises RenderError where it is no text."""
    content = message.get("content")
    if content is not None and not isinstance(content, str):
        raise RenderError(f"found content of type {type(content).__name__} in a {message.get('role')} message, "
                          "wanted text or None")  # fmt: skip
    return content or ""


def calls_of(message: Message) -> list[tuple[str, Mapping[str, Any] | str]]:
    """Name and arguments of each tool call; the arguments stay text where they are no JSON object."""
    found: list[tuple[str, Mapping[str, Any] | str]] = []
    for call in message.get("tool_calls") or ():
        function = call["function"]
        arguments = function.get("arguments") or "{}"
        try:
            value = read_json(arguments) if isinstance(arguments, str) else arguments
        except ValueError:
            value = None
        found.append((function["name"], value if isinstance(value, Mapping) else str(arguments)))
    return found


def to_json(value: Any) -> str:
    """As the templates' `tojson` writes it."""
    return clean(json.dumps(value, ensure_ascii=False))


def read_json(text: str) -> Any:
    """Strict JSON: NaN and infinity are none. Raises ValueError."""
    value, end = read_json_at(text, 0)
    if text[end:].strip():
        raise ValueError("text after the JSON value")
    return value


def read_json_at(text: str, start: int) -> tuple[Any, int]:
    """The JSON value that begins at `start`, blanks before it skipped, and where it ends. Raises ValueError."""
    while start < len(text) and text[start] in BLANKS:
        start += 1
    try:
        value, end = _DECODER.raw_decode(text, start)
    except RecursionError:
        raise ValueError("JSON nested too deep") from None
    if _is_deep(value):
        raise ValueError("JSON nested too deep")
    return value, end


def _is_deep(value: Any) -> bool:
    """Whether writing it again may exhaust the stack."""
    level = [value]
    for _ in range(DEEPEST):
        level = [child for part in level if isinstance(part, dict | list) for child in _children(part)]
        if not level:
            return False
    return True


def _children(part: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return part.values() if isinstance(part, dict) else part


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is too large")
    return value


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
