"""Which events a check is about: by what was done, with which tool, to which paths, in which words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any

import pathspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from agentgym.scoring.checklist.names import plain
from agentgym.scoring.checklist.record import Action, Event, Record


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f'found the pattern "{text}", which is no regular expression: {error}') from None
    return text


def _several(value: Any) -> Any:
    """One text stands for a list of one."""
    return (value,) if isinstance(value, str) else value


Pattern = Annotated[str, AfterValidator(_pattern)]
"""A regular expression, searched for; lines by themselves where it says (?m)."""
Texts = Annotated[tuple[str, ...], BeforeValidator(_several)]
Paths = Annotated[tuple[str, ...], BeforeValidator(_several)]
"""Patterns as in .gitignore: `*.py` anywhere, `/setup.py` and `src/*.py` from the work directory, `docs/` a
folder; `!tests/` takes away from those before it."""
Actions = Annotated[tuple[Action, ...], BeforeValidator(_several)]


class EventMatch(BaseModel):
    """The events that are meant: all that is stated has to fit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Actions = ()
    tool: Texts = ()
    """The scaffold's own name of the tool, or what the tool does (read, edit, shell, plan, ...)."""
    paths: Paths = ()
    pattern: Pattern | None = None
    """In the command, the commit's message, the text that is put in."""
    by_shell: bool | None = None
    """True: done by a shell command. False: by a tool of its own."""

    def fits(self, event: Event) -> bool:
        return (
            (not self.action or event.action in self.action)
            and (not self.tool or is_named(event.use.name, event.use.action, self.tool))
            and (not self.paths or path_matches(event.path, self.paths))
            and (self.pattern is None or re.search(self.pattern, event.text) is not None)
            and (self.by_shell is None or event.by_shell == self.by_shell)
        )

    def among(self, record: Record) -> list[Event]:
        return [event for event in record.events if self.fits(event)]

    @property
    def said(self) -> str:
        """For people."""
        parts = [*self.action, *self.tool, *self.paths, *([self.pattern] if self.pattern else [])]
        return " ".join(parts) or "event"


def is_named(name: str, action: str, wanted: Sequence[str]) -> bool:
    """Whether a tool is one of those."""
    return any(plain(one) in (plain(name), action) for one in wanted)


def path_matches(path: str, patterns: Sequence[str]) -> bool:
    return bool(path) and _spec(tuple(patterns)).match_file(path.lstrip("/"))


@lru_cache(maxsize=1024)
def _spec(patterns: tuple[str, ...]) -> pathspec.PathSpec[pathspec.Pattern]:
    return pathspec.PathSpec.from_lines("gitignore", patterns)
