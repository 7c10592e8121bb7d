"""The end of the work, as the agent declares it."""

from __future__ import annotations

from agentgym.protocols import ToolContext, ToolResult
from agentgym.tools.base import Arguments, TypedTool


class SubmitArguments(Arguments):
    message: str = ""
    """The final answer where the task asks for one; else, if anything, a sentence on what was done."""


class SubmitTool(TypedTool[SubmitArguments]):
    name = "submit"
    description = "Hand the work in. This ends the task: nothing can be changed afterwards."
    arguments = SubmitArguments

    def run(self, arguments: SubmitArguments, context: ToolContext) -> ToolResult:
        return ToolResult(arguments.message or "The work is handed in.", submitted=True)
