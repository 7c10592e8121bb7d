"""The three real agents, and models that say to each, in its own tools, what solves a task."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentgym.models import ScriptedModel
from agentgym.protocols import Message, Reply
from agentgym.task import Task, load_task

REPOSITORY = Path(__file__).parents[3]
FILE = "/testbed/src/isodate/isostrf.py"
BEFORE, AFTER = '("%d.%d" % (seconds, usecs))', '("%d.%06d" % (seconds, usecs))'

Action = tuple[str, Mapping[str, Any]]
"""A tool and its arguments."""


def shell(agent: str, command: str) -> Action:
    """The agent's own way to run a command."""
    if agent == "droid":
        return "Execute", {"command": command, "summary": "run it", "riskLevel": "low", "riskLevelReason": "harmless"}
    return "Bash" if agent == "claude-code" else "bash", {"command": command, "description": "run it"}


LOOK = f"grep -n usecs {FILE}"
SCRIPTS: Mapping[str, Sequence[Action]] = {
    "claude-code": [
        shell("claude-code", LOOK),
        ("Read", {"file_path": FILE}),
        ("Edit", {"file_path": FILE, "old_string": BEFORE, "new_string": AFTER}),
    ],
    "kilo": [
        shell("kilo", LOOK),
        ("grep", {"pattern": "usecs", "path": "/testbed/src"}),
        ("read", {"filePath": FILE}),
        ("edit", {"filePath": FILE, "oldString": BEFORE, "newString": AFTER}),
    ],
    "droid": [
        shell("droid", LOOK),
        ("Grep", {"pattern": "usecs", "path": "/testbed/src"}),
        ("Read", {"file_path": FILE}),
        ("Edit", {"file_path": FILE, "old_str": BEFORE, "new_str": AFTER}),
    ],
}
"""What fixes `isodate`, by agent: one call a reply; the reply after the last ends the work."""


def isodate() -> Task:
    return load_task(REPOSITORY / "tasks/repos/isodate-fraction-of-second-grows")


def scripted(agent: str) -> ScriptedModel:
    """A model that fixes `isodate`."""
    return playing(*SCRIPTS[agent], "Six digits now.")


def playing(*script: Action | str) -> ScriptedModel:
    """A model that plays the script to the main conversation, and gives a title to who asks for one."""

    def reply(messages: Sequence[Message]) -> Reply | str:
        if any("title" in (message["content"] or "")[:500] for message in messages if message["role"] == "system"):
            return "A title"
        n_said = sum(message["role"] == "assistant" for message in messages)
        return _said(script[n_said], n_said)

    return ScriptedModel(reply)


def _said(action: Action | str, number: int) -> Reply | str:
    if isinstance(action, str):
        return action
    name, arguments = action
    call: Any = {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments)},
    }
    return Reply({"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls")
