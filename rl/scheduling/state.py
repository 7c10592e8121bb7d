"""All that a scheduler is between two calls, as data that survives JSON and back."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rl.frozen import Frozen

Status = Literal["queued", "running", "done", "consumed", "tombstone"]


class Slot(Frozen):
    """A place in the queue."""

    status: Status = "running"
    group: str | None = None
    """Where the finished group is kept, as its owner calls it."""
    version: int = 0
    """Policy version at dispatch; what was sampled is that old at most."""
    consumed_before: int = 0
    """Groups consumed before its dispatch."""


class SchedulerState(Frozen):
    head: int = 0
    """Number of the oldest place that is neither consumed nor a tombstone."""
    next: int = 0
    """Number of the next new place."""
    version: int = 0
    consumed: int = 0
    training: bool = False
    """A batch was fetched, and the version trained on it is not published."""
    slots: dict[int, Slot] = Field(default_factory=dict)
    """From head to next."""
    batch: tuple[tuple[int, Slot], ...] = ()
    """What is fetched of the batch that is not complete."""
