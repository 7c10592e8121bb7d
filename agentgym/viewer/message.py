"""Messages as they came, of whatever server, and what of them is text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentgym.viewer.action import Action, pretty, read_action
from agentgym.viewer.passage import Passage, fold


@dataclass(frozen=True, slots=True)
class Item:
    """A message and where it stands in the record."""

    message: Mapping[str, Any]
    at: str
    """A JSON pointer."""
    call: int | None = None
    """Of a reply: the call that it answers."""

    @property
    def role(self) -> str:
        return str(self.message.get("role"))

    @property
    def text(self) -> str:
        return _text(self.message.get("content"))

    @property
    def content(self) -> Passage:
        at = f"{self.at}/content"
        return fold(self.text, at, lines=100, chars=10_000) if self.role == "user" else fold(self.text, at)

    @property
    def reasoning(self) -> Passage:
        return fold(_text(self.message.get("reasoning_content")), f"{self.at}/reasoning_content")

    def tool_calls(self) -> list[tuple[str, Action]]:
        """The id of each call and what it asks for."""
        calls = self.message.get("tool_calls")
        return [
            (str(call.get("id")), _action(function, f"{self.at}/tool_calls/{n}/function/arguments"))
            for n, call in enumerate(calls if isinstance(calls, list) else ())
            if isinstance(call, dict) and isinstance(function := call.get("function"), dict)
        ]


def _action(function: Mapping[str, Any], at: str) -> Action:
    arguments = function.get("arguments")
    try:
        read = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        read = arguments
    given = read if isinstance(read, dict) else _text(arguments)
    return read_action(str(function.get("name")), given, at, whole=True)


def _text(content: Any) -> str:
    """Content is a text, nothing, or a list of parts, of which some are text."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list):
        return "\n".join(
            _text(part.get("text") or pretty(part)) if isinstance(part, dict) else pretty(part) for part in content
        )
    return pretty(content)
