"""Scripts of the suite, which are written in our own tools, as Claude Code would do the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agentgym.protocols import MessageToolCall, Reply

WORKDIR = "/testbed"
TOOLS = {"read_file": "Read", "write_file": "Write", "str_replace": "Edit", "skill": "Skill", "bash": "Bash"}
ARGUMENTS = {"path": "file_path", "old": "old_string", "new": "new_string", "name": "skill"}


def translated(script: Sequence[Reply]) -> list[Reply]:
    """Work is handed in by a reply without a call; it has no tool to search by, and does without."""
    return [_reply(reply, number) for number, reply in enumerate(script) if list(_calls(reply)) or _submits(reply)]


def _reply(reply: Reply, number: int) -> Reply:
    calls: list[MessageToolCall] = [
        {"id": f"call_{number}_{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for n, (name, arguments) in enumerate(_calls(reply))
    ]
    if not calls:
        return Reply({"role": "assistant", "content": reply.message["content"]})
    return Reply({"role": "assistant", "content": reply.message["content"], "tool_calls": calls}, "tool_calls")


def _calls(reply: Reply) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for call in reply.message.get("tool_calls") or ():
        name, asked = call["function"]["name"], json.loads(call["function"]["arguments"])
        if name in TOOLS:
            yield TOOLS[name], {ARGUMENTS.get(key, key): _at(key, value) for key, value in asked.items()}
        elif name == "list_files":
            yield "Bash", {"command": f"ls {asked['path']}", "description": "List the files"}


def _submits(reply: Reply) -> bool:
    return any(call["function"]["name"] == "submit" for call in reply.message.get("tool_calls") or ())


def _at(key: str, value: Any) -> Any:
    """Its files are named from the root."""
    return f"{WORKDIR}/{value}" if key == "path" and not value.startswith("/") else value
