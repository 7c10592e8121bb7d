"""OpenAI messages: one conversation a line, for looking at and for supervised fine-tuning.

    {"messages": [{"role", "content", …, "generation": true}, …], "tools": [...], "meta": {...}}

`generation` stands at the replies that the model sampled, and of a reply that several conversations begin with at the
first alone: what trains on it trains on each reply once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agentgym.trajectory import Trajectory
from agentgym.views.conversation import Branch, conversations


def message_lines(trajectory: Trajectory) -> Iterator[dict[str, Any]]:
    """The main conversation's lines first."""
    found = conversations(trajectory)
    marked: set[int] = set()
    for place, branch in enumerate((*found.line, *found.others)):
        yield _line(trajectory, branch, marked, main=place < len(found.line))
        marked.update(branch.replies)


def _line(trajectory: Trajectory, branch: Branch, marked: set[int], *, main: bool) -> dict[str, Any]:
    messages = []
    for said in branch.said:
        message: dict[str, Any] = dict(said.message)
        if said.sampled and said.call not in marked:
            message["generation"] = True
        messages.append(message)
    meta = {
        "trajectory": trajectory.id,
        "task": trajectory.task.name,
        "scaffold": trajectory.scaffold,
        "model": trajectory.model,
        "attempt": trajectory.attempt,
        "stop_reason": trajectory.stop_reason,
        "reward": trajectory.reward,
        "branch": branch.end,
        "main": main,
    }
    return {"messages": messages, "tools": branch.tools, "meta": meta}
