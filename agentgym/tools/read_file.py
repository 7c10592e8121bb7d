"""A file of text, lines numbered."""

from __future__ import annotations

from pydantic import Field, model_validator

from agentgym.protocols import ToolContext, ToolResult
from agentgym.tools.base import Arguments, Mistake, TypedTool
from agentgym.tools.files import SandboxPath, read_text
from agentgym.tools.text import Output, numbered, split_lines


class ReadFileArguments(Arguments):
    path: SandboxPath
    """File to read: absolute, or relative to the work folder."""
    start_line: int = Field(default=1, ge=1)
    """First line to show, counted from 1."""
    end_line: int | None = Field(default=None, ge=1)
    """Last line to show; to the end of the file when left out."""

    @model_validator(mode="after")
    def _forwards(self) -> ReadFileArguments:
        if self.end_line is not None and self.end_line < self.start_line:
            raise ValueError(f"`end_line` ({self.end_line}) should not be before `start_line` ({self.start_line})")
        return self


class ReadFileTool(TypedTool[ReadFileArguments]):
    name = "read_file"
    description = (
        "Read a text file, or a range of its lines. Each line comes with its number and a tab in front, "
        "which are not part of the file."
    )
    arguments = ReadFileArguments

    def __init__(self, output: Output | None = None) -> None:
        self.output = output or Output()

    def run(self, arguments: ReadFileArguments, context: ToolContext) -> ToolResult:
        text = read_text(arguments.path, context)
        lines = split_lines(text)
        if not lines:
            return ToolResult(f"{arguments.path} is empty.")
        first = arguments.start_line
        if first > len(lines):
            raise Mistake(f"`start_line` is {first}, but {arguments.path} has {len(lines)} lines.")
        wanted = lines[first - 1 : arguments.end_line]
        shown = wanted[: self._fitting(wanted)]
        last = first + len(shown) - 1
        facts = f"{arguments.path}: lines {first} to {last} of {len(lines)}"
        if "\r\n" in text:
            facts += ", CRLF line ends"
        if any("\udc80" <= char <= "\udcff" for char in text):
            facts += ", not UTF-8 throughout (bytes that are not are shown as \ufffd)"
        body = numbered(shown, first, self.output.max_line_chars).encode("utf-8", "surrogateescape")
        rest = "" if len(shown) == len(wanted) else f"\n[too long for one answer: go on with start_line={last + 1}]"
        return ToolResult(f"{facts}\n{body.decode('utf-8', 'replace')}{rest}")

    def _fitting(self, lines: list[str]) -> int:
        """How many of `lines` fit one answer; never none."""
        room = self.output.max_chars
        for count, line in enumerate(lines):
            room -= min(len(line), self.output.max_line_chars) + 8
            if room < 0:
                return max(count, 1)
        return len(lines)
