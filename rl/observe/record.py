"""What the training loop tells of itself, and who is told. It knows no file, no terminal and no loop."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol

from rl.frozen import Frozen


class Record(Frozen):
    """One thing that happened in a run."""

    kind: Literal["start", "step", "heldout", "note", "end"]
    """start: the run begins, or goes on from a state. step: a batch was trained on. heldout: tasks that are never
    trained on were tried. note: something to say. end: the run is over."""
    step: int
    """Train steps taken by then; of a start: those that the state it goes on from has taken."""
    at: datetime
    """With its time zone."""
    metrics: dict[str, float]
    """By name: `group/name`, with the unit at its end (`time/train_s`)."""
    text: str = ""
    """For people."""


class Observer(Protocol):
    """Is told of a run, record by record, in order and from one thread."""

    def record(self, record: Record) -> None:
        """Take it in. Raises OSError where it cannot be written."""
        ...

    def close(self) -> None:
        """No record comes any more."""
        ...
