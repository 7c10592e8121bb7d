"""A rule that a source may state: its words, the check that decides it, and how a script keeps or breaks it.

Texts in words and checks are templates of what a task has: $module, $tests, $n_tests, ...
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Template
from typing import Any

from agentgym.scoring.checklist.item import Persistence, Severity, Source

Table = Mapping[str, Any]

ANYBODY: tuple[Source, ...] = ("system_prompt", "system_reminder", "user_query", "project_file", "skill", "memory")
"""Whoever speaks in words: all but the schemas of tools."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that may be asked for; one item of a checklist where it is."""

    name: str
    slot: str
    """Of the rules of a slot a task has one: they exclude one another, or breaking one would break another."""
    texts: tuple[str, ...]
    """Ways to say it, the first being the item's statement."""
    check: Table = field(default_factory=dict)
    """Empty: a judge decides, asked `judge`."""
    judge: str = ""
    comply: Table = field(default_factory=dict)
    """Changes of a Conduct."""
    violate: Table = field(default_factory=dict)
    """Of one that does not comply."""
    sources: tuple[Source, ...] = ANYBODY
    persistence: Persistence = "once"
    severity: Severity = "must"
    about: str = ""
    """What it is about, for those who speak of a conflict with it."""
    gives: Mapping[str, str] = field(default_factory=dict)
    """Files that the task lays into the work directory for it."""


def filled(value: Any, names: Mapping[str, Any]) -> Any:
    """`value` with every $name replaced; a text that is one $name and nothing else becomes what it stands for."""
    if isinstance(value, str):
        if value.startswith("$") and value[1:] in names:
            return names[value[1:]]
        return Template(value).safe_substitute(names)
    if isinstance(value, Mapping):
        return {key: filled(part, names) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [filled(part, names) for part in value]
    return value
