"""Plans that agents keep with their scaffold's tool for it: what stands in them after each update."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agentgym.scoring.checklist.names import plain
from agentgym.scoring.checklist.record import Event, Record

Status = Literal["pending", "in_progress", "done"]
_STATUS: Mapping[str, Status] = {
    "pending": "pending", "in_progress": "in_progress", "inprogress": "in_progress", "done": "done",
    "completed": "done", "cancelled": "done", "x": "done", " ": "pending", "-": "in_progress", ">": "in_progress",
    "~": "in_progress",
}  # fmt: skip
_LINE = re.compile(r"^[ \t]*(?:[-*]|\d+\.)?[ \t]*\[([^\]]+)\][ \t]*(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Plan:
    """One state of it."""

    event: Event
    items: tuple[tuple[str, Status], ...]


def plans(record: Record) -> Iterator[Plan]:
    """After each update, in order."""
    tasks: dict[str, tuple[str, Status]] = {}
    for event in record.of("plan"):
        arguments = event.use.arguments
        if not isinstance(arguments, Mapping):
            continue
        if plain(event.use.name) == "taskcreate":  # one item a call, numbered as they come
            tasks[str(len(tasks) + 1)] = (str(arguments.get("subject", "")), "pending")
        elif plain(event.use.name) == "taskupdate":
            number = str(arguments.get("taskId", ""))
            text, status = tasks.get(number, ("", "pending"))
            tasks[number] = (str(arguments.get("subject") or text), _status(arguments.get("status")) or status)
        else:
            yield Plan(event, tuple(_items(arguments)))
            continue
        yield Plan(event, tuple(tasks.values()))


def _items(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Status]]:
    listed = arguments.get("todos") or arguments.get("items") or arguments.get("plan") or ()
    if isinstance(listed, str):
        for mark, text in _LINE.findall(listed):
            yield text.strip(), _status(mark) or "pending"
        return
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, Mapping):
            text = item.get("content") or item.get("text") or item.get("step") or ""
            yield str(text), _status(item.get("status")) or "pending"


def _status(said: Any) -> Status | None:
    return _STATUS.get(str(said).strip().lower() or " ")
