"""A model that says what it was told to say: for tests, demonstrations and dry runs.

Which reply is due follows from the conversation (how many assistant messages it holds), not from a counter: one
scripted model serves any number of episodes at once, and each starts at the first line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentgym.errors import ModelError, UsageError
from agentgym.models.spec import read_toml, refuse_unknown
from agentgym.protocols import Message, Reply, Sampling

Script = Sequence[Reply | str] | Callable[[Sequence[Message]], Reply | str]


class ScriptedModel:
    """Replies from a list, in order, or from a function of the messages. A string is a reply without tool calls."""

    def __init__(self, script: Script, name: str = "scripted") -> None:
        self.name = name
        self._script = script

    @classmethod
    def from_spec(cls, rest: str, options: Mapping[str, Any]) -> ScriptedModel:
        """A .toml file of [[replies]], each with `content`, `tool` and `arguments`, or both."""
        refuse_unknown(options, (), "scripted")
        path = Path(rest)
        data = read_toml(path)
        refuse_unknown(data, ("name", "replies"), str(path))
        replies = data.get("replies")
        if not isinstance(replies, list) or not all(isinstance(reply, dict) for reply in replies):
            raise UsageError(f"{path}: found no [[replies]], wanted one such table for each reply")
        script = [_read_reply(reply, number, path) for number, reply in enumerate(replies, start=1)]
        return cls(script, name=data.get("name", path.stem))

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] = (),
        sampling: Sampling | None = None,
    ) -> Reply:
        """The reply that is due. Raises ModelError when the script has come to its end."""
        if callable(self._script):
            due = self._script(messages)
        else:
            said = sum(message["role"] == "assistant" for message in messages)
            if said >= len(self._script):
                raise ModelError(
                    f"the script of model {self.name!r} is exhausted: it has {len(self._script)} replies, and the "
                    f"conversation asks for number {said + 1}"
                )
            due = self._script[said]
        return due if isinstance(due, Reply) else Reply({"role": "assistant", "content": due})


def _read_reply(data: dict[str, Any], number: int, path: Path) -> Reply:
    where = f"{path}: reply {number}"
    refuse_unknown(data, ("content", "tool", "arguments"), where)
    content, tool, arguments = data.get("content"), data.get("tool"), data.get("arguments", {})
    if content is None and tool is None:
        raise UsageError(f"{where} is empty; wanted `content`, or `tool` and `arguments`")
    if not isinstance(content, str | None) or not isinstance(tool, str | None) or not isinstance(arguments, dict):
        raise UsageError(f"{where}: wanted text for `content` and `tool`, and a table for `arguments`")
    if tool is None:
        return Reply({"role": "assistant", "content": content})
    return Reply(
        {
            "role": "assistant",
            "content": content,
            "tool_calls": [
                {
                    "id": f"call_{number}",
                    "type": "function",
                    "function": {"name": tool, "arguments": json.dumps(arguments)},
                }
            ],
        },
        "tool_calls",
    )
