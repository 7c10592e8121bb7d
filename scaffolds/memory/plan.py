"""The plan: a short list of what is to be done, which the model writes and keeps up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from agentgym.protocols import ToolContext, ToolResult
from agentgym.tools import Arguments, TypedTool
from scaffolds.prompts import render

if TYPE_CHECKING:
    from agentgym.env import Episode

_MARKS = {"pending": "[ ]", "in_progress": "[>]", "done": "[x]"}


class PlanItem(Arguments):
    text: str = Field(min_length=1, max_length=300)
    """What is to be done, in one line."""
    status: Literal["pending", "in_progress", "done"] = "pending"


class PlanArguments(Arguments):
    items: list[PlanItem] = Field(min_length=1, max_length=40)
    """The whole plan, in order; it takes the place of the one before."""


class PlanTool(TypedTool[PlanArguments]):
    name = "plan"
    description = (
        "Write down your plan, or bring it up to date. Make one before work of more than a few steps; have one item in "
        "progress at a time, and mark it done as soon as it is."
    )
    arguments = PlanArguments

    def __init__(self) -> None:
        self.items: list[PlanItem] = []

    def run(self, arguments: PlanArguments, context: ToolContext) -> ToolResult:
        self.items = arguments.items
        return ToolResult(self.shown())

    def shown(self) -> str:
        """A line an item."""
        return "\n".join(f"{_MARKS[item.status]} {' '.join(item.text.split())}" for item in self.items)


class Plan:
    """Matches Memory."""

    def __init__(self, episode: Episode) -> None:
        self._tool = PlanTool()
        self.tools = (self._tool,)

    def recall(self) -> str:
        return render("plan_plan.md", plan=self._tool.shown()) if self._tool.items else ""
