"""An agent of native tool calls: the model is shown the episode's tools and calls them, several at once if it likes.

The history is linear and kept whole, reasoning included: models that think between their calls read again what they
thought (interleaved thinking). It knows neither limits nor records; both are the episode's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentgym.protocols import Message, Model
from scaffolds.calls import CallRunner, how_to_submit
from scaffolds.prompts import render

if TYPE_CHECKING:
    from agentgym.env import Episode


class ToolsScaffold:
    """Runs the loop: reply, run its calls, answer each."""

    name = "tools"
    needs_model = True

    def run(self, episode: Episode, model: Model) -> None:
        """Work until the episode is over. Raises EpisodeOver, TaskError."""
        pool = episode.pool
        messages: list[Message] = [
            {"role": "system", "content": render("tools_system.md")},
            {
                "role": "user",
                "content": render(
                    "tools_instance.md",
                    instruction=episode.instruction,
                    workdir=episode.workdir,
                    submit=how_to_submit(pool),
                ),
            },
        ]
        runner = CallRunner(episode, pool)
        while not episode.over:
            reply = episode.reply(model, messages, pool.openai())
            messages += [reply.message, *runner.answer(reply)]
