"""checklist.toml: read with every problem named, one a line, and written back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from agentgym.errors import TaskError
from agentgym.nearest import nearest
from agentgym.scoring.checklist.event import EventMatch
from agentgym.scoring.checklist.item import Checklist, Item
from agentgym.scoring.checklist.registry import KINDS
from agentgym.task import Task, load_task

FILE = "checklist.toml"


def read_checklist(task: Task | Path | str) -> Checklist:
    """The checklist of a task, or of a task folder.

    Raises TaskError that names every problem, one a line: what cannot be read, ids that are not unique, files that the
    items name and nobody lays into the work directory.
    """
    task = task if isinstance(task, Task) else load_task(task)
    file = str(task.path / FILE)
    if task.checklist is None:
        raise TaskError(f"{file}: missing")
    given = dict(_given(task))
    items, problems = _items(task.checklist, file)
    for item in items:
        if item.file and item.file not in given and not (task.path / "environment" / item.file).is_file():
            problems.append(
                f'{file}: item "{item.id}": file: found "{item.file}", which the task lays nowhere'
                f"{nearest(item.file, given, what='file')}; wanted a file of steps/*/workdir or environment"
            )
    if problems:
        raise TaskError("\n".join(problems))
    return Checklist(items=tuple(items), instructions=tuple(step.instruction for step in task.steps), given=given)


def parse_items(data: Mapping[str, Any], *, file: str = FILE) -> tuple[Item, ...]:
    """The items of checklist.toml as data. Raises TaskError that names every problem, one a line."""
    items, problems = _items(data, file)
    if problems:
        raise TaskError("\n".join(problems))
    return tuple(items)


def dump_items(items: Iterator[Item] | tuple[Item, ...]) -> str:
    """The text of checklist.toml."""
    return tomli_w.dumps({"items": [item.data() for item in items]})


def _given(task: Task) -> Iterator[tuple[str, str]]:
    for folder in filter(None, (step.workdir for step in task.steps)):
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file != folder / "setup.sh":
                yield file.relative_to(folder).as_posix(), file.read_text(errors="replace")


def _items(data: Mapping[str, Any], file: str) -> tuple[list[Item], list[str]]:
    problems = [f"{file}: {key}: unknown key{nearest(key, ['items'], what='key')}" for key in data if key != "items"]
    tables = data.get("items")
    if not isinstance(tables, list) or not tables:
        return [], [*problems, f"{file}: found {_shown(tables)} as items, wanted one or more [[items]]"]
    items: list[Item] = []
    seen: dict[str, int] = {}
    for number, table in enumerate(tables, start=1):
        name = table.get("id") if isinstance(table, Mapping) else None
        head = f'{file}: item "{name}"' if isinstance(name, str) and name else f"{file}: item {number}"
        try:
            item = Item.model_validate(table)
        except ValidationError as error:
            problems += [f"{head}: {line}" for line in problem_lines(error, table)]
        else:
            items.append(item)
        if isinstance(name, str) and seen.setdefault(name, number) != number:
            problems.append(f"{head}: item {number} has the id of item {seen[name]}, wanted ids that differ")
    return items, problems


def problem_lines(error: ValidationError, data: Any) -> Iterator[str]:
    """What is wrong with an item or a check, in the terms of its file."""
    details = error.errors(include_url=False)
    for detail in details:
        if detail["type"] == "too_short" and any(len(d["loc"]) > len(detail["loc"]) for d in details):
            continue  # short of those that are named by themselves
        place, kind, context = detail["loc"], detail["type"], detail.get("ctx", {})
        where = _where(place)
        if kind == "check":
            said = detail["msg"]
        elif kind == "value_error":
            said = str(context["error"])
        elif kind == "missing":
            said = "missing"
        elif kind == "extra_forbidden":
            *before, key = place
            known = _known(_at(data, before), nested=bool(before))
            said = "unknown key" + (nearest(str(key), known, what="key") or f" (known keys: {', '.join(known)})")
        elif kind == "literal_error":
            said = f"found {_shown(detail['input'])}, wanted " + str(context["expected"]).replace("'", '"')
        else:
            said = f"found {_shown(detail['input'])}, {detail['msg'].lower()}"
        yield f"{where}: {said}" if where else said


def _known(table: Any, *, nested: bool) -> list[str]:
    """The keys that a table of the file may have."""
    kind = table.get("kind") if isinstance(table, Mapping) else None
    if isinstance(kind, str) and kind in KINDS:
        return list(KINDS[kind].model_fields)
    return list((EventMatch if nested else Item).model_fields)


def _at(data: Any, place: list[int | str]) -> Any:
    for part in place:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _where(place: tuple[int | str, ...]) -> str:
    """check.checks[2].pattern, counted from 1."""
    return "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."
