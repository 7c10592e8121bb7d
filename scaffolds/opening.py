"""How a conversation begins: who the agent is, what it was asked, and what the repository says to agents.

The task's own system prompt stands at the end of the scaffold's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentgym.protocols import Message
from scaffolds.calls import how_to_submit
from scaffolds.memory import Memory
from scaffolds.prompts import render

if TYPE_CHECKING:
    from agentgym.env import Episode


def opening(episode: Episode, *system: str, told: str = "") -> list[Message]:
    """For agents that call tools. `system`: prompts by file name; `told`: what the agent is to know besides."""
    task = render(
        "tools_instance.md",
        instruction=episode.instruction,
        workdir=episode.workdir,
        submit=how_to_submit(episode.pool),
    )
    return [system_message(episode, *system), user_message(task, told)]


def system_message(episode: Episode, *system: str) -> Message:
    """The scaffold's prompts, then the task's."""
    said = "".join(map(render, system))
    if episode.system_prompt:
        said = f"{said.rstrip()}\n\n{episode.system_prompt.strip()}\n"
    return {"role": "system", "content": said}


def user_message(task: str, told: str) -> Message:
    """The instruction, and what the agent is to know besides."""
    return {"role": "user", "content": f"{task}\n{told}" if told else task}


def recalled(memories: Sequence[Memory]) -> str:
    """What all of them recall."""
    return "\n\n".join(text.strip() for memory in memories if (text := memory.recall()))
