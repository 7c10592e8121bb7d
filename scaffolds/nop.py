"""The agent that does nothing: what a task is worth untouched. A task that it solves is no task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentgym.protocols import Model, ToolCall

if TYPE_CHECKING:
    from agentgym.env import Episode


class NopScaffold:
    """Submits at once, every step of a multi-step task."""

    name = "nop"
    needs_model = False

    def run(self, episode: Episode, model: Model | None = None) -> None:
        """Submit. The model is not asked."""
        for _ in episode.task.steps:
            if episode.over:
                return
            episode.step(ToolCall("submit"))
