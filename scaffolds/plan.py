"""The agent of `tools` with a plan and a memory: what it knows outlives the window of its model.

When the window fills, the older turns are summarised by the model itself, and the conversation goes on from the
instruction, what the memories recall, the summary, and the last turns. That is a turn like any other, and on record as
a step named `compact`. The loop knows its memories by their Protocols alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from agentgym.protocols import Message, Model, WindowedModel
from agentgym.trajectory import StepRecord
from scaffolds.calls import CallRunner
from scaffolds.memory import Memory, Notes, Plan, Rules, Skills, Window, WorkingMemory
from scaffolds.opening import opening, recalled
from scaffolds.prompts import render

if TYPE_CHECKING:
    from agentgym.env import Episode

COMPACT = "compact"
"""The step's name."""
SYSTEM = ("tools_system.md", "plan_system.md")


class PlanScaffold:
    """Runs the loop: make room, reply, run its calls, answer each."""

    name = "plan"
    needs_model = True

    def __init__(
        self,
        *,
        window_tokens: int = 128_000,
        working: Callable[[int], WorkingMemory] = Window,
        memories: Sequence[Callable[[Episode], Memory]] = (Rules, Plan, Notes, Skills),
    ) -> None:
        """`window_tokens`: prompt and reply together, for models that do not tell theirs."""
        self.window_tokens = window_tokens
        self._working = working
        self._memories = memories

    def run(self, episode: Episode, model: Model) -> None:
        """Work until the episode is over. Raises EpisodeOver, SandboxError, TaskError."""
        memories = [remember(episode) for remember in self._memories]
        pool = episode.pool.add(*(tool for memory in memories for tool in memory.tools))
        runner, offered = CallRunner(episode, pool), pool.openai()
        told = model.window_tokens if isinstance(model, WindowedModel) else None
        window = self._working(told or self.window_tokens)
        window.open(opening(episode, *SYSTEM, told=recalled(memories)))
        while not episode.over:
            if window.outgrown():
                compact(episode, model, offered, window, memories)
            reply = episode.reply(model, window.messages, offered)
            window.add(reply, runner.answer(reply))


def compact(
    episode: Episode, model: Model, offered: list[dict[str, Any]], window: WorkingMemory, memories: Sequence[Memory]
) -> None:
    """Let the model sum up the messages that have to go, and put that in their place.

    Raises EpisodeOver, SandboxError.
    """
    began, at = time.monotonic(), datetime.now(UTC)
    old = window.outgrown()
    # what the model has read before and a question: it fits, and its beginning need not be computed again
    asked: list[Message] = [*window.messages[: old.stop], {"role": "user", "content": render("plan_compact.md")}]
    summary = (episode.reply(model, asked, offered).message["content"] or "").rpartition("</think>")[2].strip()
    summed_up = render("plan_summary.md", summary=summary or "(You gave none.)")
    told = f"{recalled(memories)}\n\n{summed_up}".strip()
    window.open(opening(episode, *SYSTEM, told=told))
    episode.record(
        StepRecord(
            name=COMPACT,
            arguments={"first_message": old.start, "n_messages": len(old)},
            observation=told,
            started_at=at,
            duration_s=time.monotonic() - began,
        )
    )
