"""The three real agents, and what a model says to each so that it fixes tasks/repos/isodate-fraction-of-second-grows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentgym.models import ScriptedModel
from agentgym.protocols import Message, Reply
from agentgym.task import Task, load_task

REPOSITORY = Path(__file__).parents[3]
FILE = "/testbed/src/isodate/isostrf.py"
BEFORE, AFTER = '("%d.%d" % (seconds, usecs))', '("%d.%06d" % (seconds, usecs))'

SCRIPTS: Mapping[str, Sequence[tuple[str, Mapping[str, Any]]]] = {
    "claude-code": [
        ("Bash", {"command": f"grep -n usecs {FILE}", "description": "look"}),
        ("Read", {"file_path": FILE}),
        ("Edit", {"file_path": FILE, "old_string": BEFORE, "new_string": AFTER}),
    ],
    "kilo": [
        ("bash", {"command": f"grep -n usecs {FILE}", "description": "look"}),
        ("grep", {"pattern": "usecs", "path": "/testbed/src"}),
        ("read", {"filePath": FILE}),
        ("edit", {"filePath": FILE, "oldString": BEFORE, "newString": AFTER}),
    ],
    "droid": [
        (
            "Execute",
            {"command": f"grep -n usecs {FILE}", "summary": "look", "riskLevel": "low", "riskLevelReason": "reads"},
        ),
        ("Grep", {"pattern": "usecs", "path": "/testbed/src"}),
        ("Read", {"file_path": FILE}),
        ("Edit", {"file_path": FILE, "old_str": BEFORE, "new_str": AFTER}),
    ],
}
"""Tool calls, one a reply, in the agent's own tools; the reply after the last ends the work."""


def isodate() -> Task:
    return load_task(REPOSITORY / "tasks/repos/isodate-fraction-of-second-grows")


def scripted(agent: str) -> ScriptedModel:
    """A model that plays the script to the main conversation and gives titles to who asks for one."""
    return ScriptedModel(_player(SCRIPTS[agent]))


def _player(script: Sequence[tuple[str, Mapping[str, Any]]]) -> Callable[[Sequence[Message]], Reply | str]:
    def reply(messages: Sequence[Message]) -> Reply | str:
        if any("title" in (message["content"] or "")[:500] for message in messages if message["role"] == "system"):
            return "Fractions of a second"
        said = sum(message["role"] == "assistant" for message in messages)
        if said >= len(script):
            return "Small fractions are padded to six digits now."
        name, arguments = script[said]
        call = {
            "id": f"call_{said}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        return Reply({"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls")  # type: ignore[list-item]

    return reply
