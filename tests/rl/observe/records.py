"""Records of a run that never was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from rl.observe.record import Observer, Record

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def record(
    kind: Literal["start", "step", "heldout", "note", "end"], step: int, text: str = "", **metrics: float
) -> Record:
    """`reward__mean=1.0` is the metric reward/mean."""
    named = {name.replace("__", "/"): value for name, value in metrics.items()}
    return Record(kind=kind, step=step, at=NOON + timedelta(seconds=step), metrics=named, text=text)


def tell(observer: Observer, *records: Record) -> None:
    for each in records:
        observer.record(each)
    observer.close()
