"""A whole file, created or replaced."""

from __future__ import annotations

from agentgym.protocols import ToolContext, ToolResult
from agentgym.tools.base import Arguments, TypedTool
from agentgym.tools.files import SandboxPath, write_text
from agentgym.tools.text import split_lines


class WriteFileArguments(Arguments):
    path: SandboxPath
    """File to write: absolute, or relative to the work folder."""
    content: str
    """The whole new contents, written as they are: end them with a newline where the file should end with one."""


class WriteFileTool(TypedTool[WriteFileArguments]):
    name = "write_file"
    description = (
        "Create a file, or replace all of it. Missing folders are created; a file that exists keeps its permissions."
    )
    arguments = WriteFileArguments

    def run(self, arguments: WriteFileArguments, context: ToolContext) -> ToolResult:
        existed = write_text(arguments.path, arguments.content, context)
        done = "Replaced" if existed else "Created"
        return ToolResult(f"{done} {arguments.path} ({len(split_lines(arguments.content))} lines).")
