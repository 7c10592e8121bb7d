"""An agent of native tool calls: the model is shown the episode's tools and calls them, several at once if it likes.

The history is linear and kept whole, reasoning included: models that think between their calls read again what they
thought (interleaved thinking). Rules and skills of the repository are told at the start. It knows neither limits nor
records; both are the episode's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentgym.protocols import Model
from scaffolds.calls import CallRunner
from scaffolds.memory import Memory, Rules, Skills
from scaffolds.opening import opening, recalled

if TYPE_CHECKING:
    from agentgym.env import Episode


class ToolsScaffold:
    """Runs the loop: reply, run its calls, answer each."""

    name = "tools"
    needs_model = True

    def run(self, episode: Episode, model: Model) -> None:
        """Work until the episode is over. Raises EpisodeOver, TaskError."""
        memories: Sequence[Memory] = (Rules(episode), Skills(episode))
        pool = episode.pool.add(*(tool for memory in memories for tool in memory.tools))
        messages = opening(episode, "tools_system.md", told=recalled(memories))
        runner = CallRunner(episode, pool)
        while not episode.over:
            reply = episode.reply(model, messages, pool.openai())
            messages += [reply.message, *runner.answer(reply)]
