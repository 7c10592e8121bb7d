"""Trajectories for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agentgym.protocols import Message, StopReason, Usage
from agentgym.trajectory import Outcome, StepRecord, TaskRef, Trajectory, Turn

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


def make_trajectory(
    *replies: str,
    instruction: str = "Fix it.",
    observations: tuple[str, ...] = (),
    task: str = "demo/fix",
    checksum: str = "c0ffee",
    **values: Any,
) -> Trajectory:
    """A submitted trajectory with these replies, each followed by an observation ("seen 0", "seen 1", ...)."""
    messages: list[Message] = [{"role": "system", "content": "Work."}, {"role": "user", "content": instruction}]
    turns = []
    for n, text in enumerate(replies):
        message: Message = {"role": "assistant", "content": text}
        observation = observations[n] if n < len(observations) else f"seen {n}"
        messages += [message, {"role": "user", "content": observation}]
        step = StepRecord(
            name="bash", arguments={"command": text}, observation=observation, started_at=NOON, duration_s=0.5
        )
        turns.append(Turn(message=message, usage=Usage(10, 3), started_at=NOON, duration_s=1.0, steps=[step]))
    return Trajectory(
        **{
            "id": f"{task}-0",
            "task": TaskRef(name=task, checksum=checksum, suite="demo", split="train"),
            "scaffold": "bash",
            "model": "m",
            "backend": "namespaces",
            "started_at": NOON,
            "messages": messages,
            "turns": turns,
            "stop_reason": StopReason.SUBMITTED,
            "outcome": Outcome(reward=1.0),
            **values,
        }
    )
