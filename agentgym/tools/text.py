"""How text is shown to a model: never too much of it, numbered where lines are talked about.

Everything that is left out is announced where it was, with its size.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field


class Output(BaseModel):
    """How much text one call of a tool may answer with."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max_chars: int = Field(default=16_000, ge=200)
    """Characters of one answer; the rest is left out and the answer says how much that was."""
    max_line_chars: int = Field(default=2_000, ge=20)
    """Characters of one line where an answer lists lines (files, matches)."""


def cut_middle(text: str, max_chars: int) -> str:
    """`text`, its middle replaced by a marker when it is longer than `max_chars`: errors stand at either end."""
    if len(text) <= max_chars:
        return text
    head = max_chars // 2
    tail = max_chars - head
    return f"{text[:head]}\n[... {len(text) - max_chars} characters left out ...]\n{text[-tail:]}"


def cut_head(text: str, max_chars: int) -> str:
    """The last `max_chars` of `text`, announced when that is not all of it."""
    if len(text) <= max_chars:
        return text
    return f"[... {len(text) - max_chars} characters left out ...]\n{text[-max_chars:]}"


def cut_line(line: str, max_chars: int) -> str:
    if len(line) <= max_chars:
        return line
    return f"{line[:max_chars]} [... {len(line) - max_chars} characters left out]"


def split_lines(text: str) -> list[str]:
    """Lines as an editor counts them: they end in \\n or \\r\\n and nothing else, and the last end starts no line."""
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def numbered(lines: Sequence[str], first: int, max_line_chars: int) -> str:
    """`lines` with their numbers in front, counted from `first`."""
    return "\n".join(f"{first + i:6d}\t{cut_line(line, max_line_chars)}" for i, line in enumerate(lines))
