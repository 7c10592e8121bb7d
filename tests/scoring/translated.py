"""Scripts of the suite, which are written in our own tools, as agents of somebody else do the same in theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentgym.models import ScriptedModel
from agentgym.protocols import FunctionCall, Message, MessageToolCall, Reply, Sampling

WORKDIR = "/testbed"


@dataclass(frozen=True, slots=True)
class Tool:
    """What an agent has for one of our tools."""

    name: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    """What it calls our arguments, where that is something else."""
    besides: Mapping[str, str] = field(default_factory=dict)
    """Arguments that it wants and we do not have."""


_FILE, _KILO_FILE, _SKILL, _WHY = {"path": "file_path"}, {"path": "filePath"}, {"name": "skill"}, "Do the next step"
AGENTS: Mapping[str, Mapping[str, Tool]] = {
    "claude-code": {
        "bash": Tool("Bash"),
        "read_file": Tool("Read", _FILE),
        "write_file": Tool("Write", _FILE),
        "str_replace": Tool("Edit", {**_FILE, "old": "old_string", "new": "new_string"}),
        "skill": Tool("Skill", _SKILL),
    },
    "kilo": {
        "bash": Tool("bash", besides={"description": _WHY}),
        "read_file": Tool("read", _KILO_FILE),
        "list_files": Tool("read", _KILO_FILE),
        "search": Tool("grep"),
        "write_file": Tool("write", _KILO_FILE),
        "str_replace": Tool("edit", {**_KILO_FILE, "old": "oldString", "new": "newString"}),
        "skill": Tool("skill"),
    },
    "droid": {
        "bash": Tool("Execute", besides={"summary": _WHY}),
        "read_file": Tool("Read", _FILE),
        "list_files": Tool("LS", {"path": "directory_path"}),
        "search": Tool("Grep"),
        "write_file": Tool("Create", _FILE),
        "str_replace": Tool("Edit", {**_FILE, "old": "old_str", "new": "new_str"}),
        "skill": Tool("Skill", _SKILL),
    },
}
"""By agent and our own name of the tool. A script that needs one that is not here is none for this agent: KeyError."""


class Player:
    """A model that plays the script to an agent, and gives a title to who asks for one: that is asked without tools."""

    name = "scripted"

    def __init__(self, agent: str, script: Sequence[Reply]) -> None:
        self._script = ScriptedModel([_reply(AGENTS[agent], reply, number) for number, reply in enumerate(script)])

    def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] = (),
        sampling: Sampling | None = None,
    ) -> Reply:
        return self._script.reply(messages) if tools else Reply({"role": "assistant", "content": "A title"})


def _reply(tools: Mapping[str, Tool], reply: Reply, number: int) -> Reply:
    """Work is handed in by a reply without a call."""
    said, ours = reply.message["content"], [call["function"] for call in reply.message.get("tool_calls") or ()]
    calls: list[MessageToolCall] = [
        {"id": f"call_{number}_{n}", "type": "function", "function": _call(tools[our["name"]], our["arguments"])}
        for n, our in enumerate(ours)
        if our["name"] != "submit"
    ]
    if not calls:
        return Reply({"role": "assistant", "content": said})
    return Reply({"role": "assistant", "content": said, "tool_calls": calls}, "tool_calls")


def _call(tool: Tool, arguments: str) -> FunctionCall:
    asked = {tool.arguments.get(key, key): _at(key, value) for key, value in json.loads(arguments).items()}
    return {"name": tool.name, "arguments": json.dumps({**asked, **tool.besides})}


def _at(key: str, value: Any) -> Any:
    """All of them name files from the root."""
    return f"{WORKDIR}/{value}" if key == "path" and not value.startswith("/") else value
