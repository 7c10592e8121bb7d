"""checklist.toml with a line for each check: a third of the size that nested tables have, and read at a glance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from agentgym.scoring.checklist.item import Item


def dump_items(items: Iterable[Item]) -> str:
    """The text of checklist.toml."""
    return "\n".join(f"[[items]]\n{_lines(item.data())}" for item in items)


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_value(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    # what JSON escapes in a text TOML reads as well
    return json.dumps(value, ensure_ascii=False)
