"""Lines of the sandbox's files that match a regular expression (by grep, in the sandbox).

Matched byte by byte, in whatever encoding a file is: no file is skipped for its encoding, and the price is that `.` and
`\\w` do not take a letter beyond ASCII for one character. Needs GNU grep with -P.
"""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from agentgym.protocols import ToolContext, ToolResult
from agentgym.tools.base import Arguments, Mistake, TypedTool
from agentgym.tools.files import SandboxPath, resolve, shown
from agentgym.tools.text import Output, cut_line, cut_middle

# cut: one minified line must not eat the sandbox's output limit; head: grep need not go on after enough lines
_SCRIPT = 'lines=$1; shift; LC_ALL=C grep "$@" | LC_ALL=C cut -b -4096 | head -n "$lines"; exit "${PIPESTATUS[0]}"'
_MATCH = re.compile(r"([^\0]+)\0(\d+):([^\n]*)\n?")
"""grep's answer under -nZ; a path may hold anything but NUL."""
_CUT_BY_HEAD = 141
"""128 + SIGPIPE: grep was stopped by `head`."""


class SearchArguments(Arguments):
    pattern: str = Field(min_length=1)
    """Perl-style regular expression, matched against one line at a time."""
    path: SandboxPath = "."
    """Folder (with everything below it) or file to search: absolute, or relative to the work folder."""
    glob: str = ""
    """Search only files whose name matches, for example *.py"""
    ignore_case: bool = False
    """Take upper and lower case for the same."""
    max_matches: int = Field(default=100, ge=1, le=1000)
    """Lines to answer with at most."""

    @field_validator("pattern", "glob")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if "\0" in value or "\n" in value:
            raise ValueError("should not hold a newline or NUL character")
        return value

    @field_validator("glob")
    @classmethod
    def _name_only(cls, value: str) -> str:
        if "/" in value:
            raise ValueError("should match a file's name and hold no slash: put the folder into `path`")
        return value


class SearchTool(TypedTool[SearchArguments]):
    name = "search"
    description = (
        "Search the contents of files for a regular expression. Answers with path:line: text for every matching line. "
        "Binary files and .git are left out."
    )
    arguments = SearchArguments

    def __init__(self, output: Output | None = None) -> None:
        self.output = output or Output()

    def run(self, arguments: SearchArguments, context: ToolContext) -> ToolResult:
        options = ["-rnHIPZ", "--devices=skip", "--exclude-dir=.git"]
        if arguments.ignore_case:
            options.append("-i")
        if arguments.glob:
            options.append(f"--include={arguments.glob}")
        target = resolve(arguments.path, context)
        argv = [str(arguments.max_matches + 1), *options, "-e", arguments.pattern, "--", target]
        done = context.sandbox.exec(["bash", "-c", _SCRIPT, "search", *argv], timeout_s=context.timeout_s)
        matches = sorted(_parse(done.stdout, context))
        if not matches and done.exit_code not in (0, 1, _CUT_BY_HEAD) and not done.timed_out:
            reason = done.stderr.strip().partition("\n")[0].removeprefix("grep: ")
            raise Mistake(f"The search failed: {reason or f'exit code {done.exit_code}'}")
        notes = []
        if done.timed_out:
            notes.append(f"[timed out after {context.timeout_s:g} s: search a smaller folder]")
        if len(matches) > arguments.max_matches or done.truncated:
            count = min(len(matches), arguments.max_matches)
            notes.append(f"[cut after {count} matching lines: narrow the pattern, path or glob]")
        lines = [
            f"{path}:{number}: {cut_line(text, self.output.max_line_chars)}"
            for path, number, text in matches[: arguments.max_matches]
        ]
        if not lines:
            return ToolResult("\n".join(["No matches.", *notes]))
        return ToolResult("\n".join([cut_middle("\n".join(lines), self.output.max_chars), *notes]))


def _parse(output: str, context: ToolContext) -> list[tuple[str, int, str]]:
    matches = _MATCH.findall(output)
    return [(shown(path, context), int(number), text.rstrip("\r")) for path, number, text in matches]
