"""An exact piece of a file, replaced.

What is not replaced keeps every byte: line ends, byte order mark, bytes that are no UTF-8, and the file's mode. A model
writes \\n; where the file has \\r\\n the piece is found all the same and its replacement gets \\r\\n too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import Field, model_validator

from agentgym.protocols import ToolContext, ToolResult
from agentgym.tools.base import Arguments, Mistake, TypedTool
from agentgym.tools.files import SandboxPath, read_text, write_text
from agentgym.tools.text import Output, cut_middle, numbered, split_lines

CONTEXT_LINES = 3
SHOWN_CHANGES = 5


class StrReplaceArguments(Arguments):
    path: SandboxPath
    """File to edit: absolute, or relative to the work folder."""
    old: str = Field(min_length=1)
    """The piece to replace, exactly as the file has it, white space included. It must occur once."""
    new: str
    """What stands there afterwards; an empty text deletes the piece."""
    replace_all: bool = False
    """Replace every occurrence instead of the only one."""

    @model_validator(mode="after")
    def _changes_something(self) -> StrReplaceArguments:
        if self.old == self.new:
            raise ValueError("`old` and `new` should differ")
        return self


class StrReplaceTool(TypedTool[StrReplaceArguments]):
    name = "str_replace"
    description = (
        "Replace a piece of a text file by another. The piece must be exact and occur once, so take in enough of the "
        "lines around it. Answers with the changed lines."
    )
    arguments = StrReplaceArguments

    def __init__(self, output: Output | None = None) -> None:
        self.output = output or Output()

    def run(self, arguments: StrReplaceArguments, context: ToolContext) -> ToolResult:
        path = arguments.path
        text = read_text(path, context)
        spans = occurrences(text, arguments.old, overlapping=not arguments.replace_all)
        if not spans:
            raise Mistake(f"`old` does not occur in {path}.{_hint(text, arguments.old)}")
        if len(spans) > 1 and not arguments.replace_all:
            raise Mistake(
                f"`old` occurs {len(spans)} times in {path}, on lines {_listed([_line(text, a) for a, _ in spans])}: "
                "take in more of the lines around the one you mean, or set replace_all."
            )
        edited, places = replace(text, spans, arguments.new)
        write_text(path, edited, context)
        count = "1 occurrence" if len(spans) == 1 else f"{len(spans)} occurrences"
        return ToolResult(f"Replaced {count} in {path}. {self._changes(edited, places)}")

    def _changes(self, edited: str, places: Sequence[tuple[int, int]]) -> str:
        """The lines around every change, near ones joined."""
        lines = split_lines(edited)
        windows: list[tuple[int, int]] = []
        for start, end in places:
            first = max(_line(edited, start) - CONTEXT_LINES, 1)
            last = min(_line(edited, max(start, end - 1)) + CONTEXT_LINES, len(lines))
            if windows and first <= windows[-1][1] + 1:
                windows[-1] = (windows[-1][0], max(last, windows[-1][1]))
            else:
                windows.append((first, last))
        pieces = [numbered(lines[a - 1 : b], a, self.output.max_line_chars) for a, b in windows[:SHOWN_CHANGES]]
        if len(windows) > SHOWN_CHANGES:
            pieces.append(f"[{len(windows) - SHOWN_CHANGES} more places left out]")
        shown = "\n...\n".join(pieces) if lines else "[the file is empty now]"
        shown = shown.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return f"It reads now:\n{cut_middle(shown, self.output.max_chars)}"


def occurrences(text: str, old: str, *, overlapping: bool = False) -> list[tuple[int, int]]:
    """Where `old` stands in `text`; if the text has any \\r\\n, line ends of `old` stand for either kind."""
    pattern = re.escape(old)
    if "\r\n" in text:
        pattern = r"\r?\n".join(re.escape(line) for line in old.replace("\r\n", "\n").split("\n"))
    if overlapping:
        # "aa" stands in "aaa" twice: which one was meant is as unclear as if they were apart
        return [match.span(1) for match in re.finditer(f"(?=({pattern}))", text)]
    return [match.span() for match in re.finditer(pattern, text)]


def replace(text: str, spans: Sequence[tuple[int, int]], new: str) -> tuple[str, list[tuple[int, int]]]:
    """`text` with `spans` replaced, and where the replacements stand in it. Their lines end as those around do."""
    pieces, places = [], []
    done = length = 0
    for start, end in spans:
        inserted = new.replace("\r\n", "\n").replace("\n", "\r\n") if _crlf(text, start, end) else new
        kept = text[done:start]
        pieces += [kept, inserted]
        length += len(kept) + len(inserted)
        places.append((length - len(inserted), length))
        done = end
    return "".join([*pieces, text[done:]]), places


def _crlf(text: str, start: int, end: int) -> bool:
    """Whether lines end in \\r\\n where the span stands: in it, else after it, else before it."""
    at = text.find("\n", start, end)
    if at < 0:
        at = text.find("\n", end)
    if at < 0:
        at = text.rfind("\n", 0, start)
    return at > 0 and text[at - 1] == "\r"


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _listed(lines: Sequence[int], most: int = 10) -> str:
    more = f" and {len(lines) - most} more" if len(lines) > most else ""
    return ", ".join(map(str, lines[:most])) + more


def _hint(text: str, old: str) -> str:
    """Why a piece that looks right is not found."""
    wanted = split_lines(old)
    if all(re.match(r"\s*\d+\t", line) for line in wanted):
        return " Leave out the line numbers and the tab after them: they are not part of the file."
    stripped = [line.strip() for line in wanted]
    if not any(stripped):
        return ""
    lines = [line.strip() for line in split_lines(text)]
    near = [i + 1 for i in range(len(lines) - len(wanted) + 1) if lines[i : i + len(wanted)] == stripped]
    return f" With other white space it does, on line {_listed(near)}: compare the indentation." if near else ""
