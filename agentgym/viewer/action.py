"""What an agent asked for, as a person reads it: a command as a command, an edit as a diff, the rest as a table.

Told by the arguments and not by the tool's name: other programs call their tools otherwise than we ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentgym.diff import Line, cut, edit
from agentgym.viewer.passage import Passage, fold

_PATH = ("path", "file_path", "filePath")
_OLD = ("old", "old_string", "oldString", "old_str")
_NEW = ("new", "new_string", "newString", "new_str")
_CONTENT = ("content", "file_text")
_COMMAND = ("command", "cmd")

DIFF_LINES, DIFF_CHARS = 80, 8000
"""Shown of an edit."""
ARGUMENTS = 30
"""Shown of one call."""
SUMMARY_CHARS = 120
KEY_CHARS = 300
"""Longer, an argument is found with all of them together."""


@dataclass(frozen=True, slots=True)
class Action:
    """One tool call."""

    name: str
    """Empty: the final answer, or what could not be read as a call."""
    command: Passage | None = None
    path: str = ""
    """The file it edits or writes."""
    diff: tuple[Line, ...] = ()
    content: Passage | None = None
    """What it writes into the file."""
    others: tuple[tuple[str, Passage], ...] = ()
    """The other arguments."""

    @property
    def summary(self) -> str:
        """One short line."""
        if self.path:
            return self.path[-SUMMARY_CHARS:]
        passage = self.command or (self.others[0][1] if self.others else Passage(""))
        return passage.head.lstrip().split("\n", 1)[0][:SUMMARY_CHARS]


def read_action(name: str, arguments: Mapping[str, Any] | str, at: str, *, whole: bool = False) -> Action:
    """`at`: where the arguments stand in the record, a JSON pointer. `whole`: they are one text there, as models write
    them, and no part of it can be pointed at."""
    if isinstance(arguments, str):
        return Action(name, others=(("", fold(arguments, at)),))

    def passage(key: str) -> Passage:
        value = arguments[key]
        return fold(
            value if isinstance(value, str) else pretty(value),
            at if whole or len(key) > KEY_CHARS else pointer(at, key),
        )

    path, content, old, new = (_given(arguments, keys) for keys in (_PATH, _CONTENT, _OLD, _NEW))
    command = _given(arguments, _COMMAND)

    def others(*apart: str | None) -> tuple[tuple[str, Passage], ...]:
        return tuple((key, passage(key)) for key in list(arguments)[:ARGUMENTS] if key not in apart)

    if path and old and new:
        lines = _cut(edit(arguments[old], arguments[new]))
        return Action(name, path=arguments[path], diff=lines, others=others(path, old, new))
    if path and content:
        return Action(name, path=arguments[path], content=passage(content), others=others(path, content))
    return Action(name, command=passage(command) if command else None, others=others(command))


def edited_path(arguments: Mapping[str, Any] | str) -> str:
    """The file that a tool call edits or writes, by the same signs; empty for other calls."""
    if isinstance(arguments, str):
        return ""
    path, content, old, new = (_given(arguments, keys) for keys in (_PATH, _CONTENT, _OLD, _NEW))
    return str(arguments[path]) if path and (content or (old and new)) else ""


def _given(arguments: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    return next((key for key in keys if isinstance(arguments.get(key), str)), None)


def pretty(value: Any) -> str:
    """JSON for people: on one line where it is short."""
    line = json.dumps(value, ensure_ascii=False, default=str)
    return line if len(line) <= 80 else json.dumps(value, indent=2, ensure_ascii=False, default=str)


def pointer(at: str, key: str | int) -> str:
    """A JSON pointer one step further (RFC 6901)."""
    return f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}"


def _cut(lines: list[Line]) -> tuple[Line, ...]:
    shown = cut(lines, DIFF_LINES, DIFF_CHARS)
    more = len(lines) - len(shown)
    return (*shown, Line("note", f"{more:,} more lines")) if more else tuple(shown)
