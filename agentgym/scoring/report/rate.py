"""Shares with the interval that another draw of tasks would likely put them into."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

N_DRAWS = 2000
_SEED = 0


class Rate(BaseModel):
    """A share. The interval is the bootstrap's, at 95 %, over tasks: several runs of one are drawn together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float | None
    """None: there is nothing to share."""
    low: float | None = None
    """None where fewer than two tasks have a part in it."""
    high: float | None = None
    n: float
    """What it is a share of."""


def rate(parts: Iterable[tuple[str, float, float]]) -> Rate:
    """All numerators over all denominators, of parts (task, numerator, denominator)."""
    by_task: dict[str, tuple[float, float]] = {}
    for task, numerator, denominator in parts:
        had, of = by_task.get(task, (0.0, 0.0))
        by_task[task] = (had + numerator, of + denominator)
    sums = [pair for pair in by_task.values() if pair[1]]
    n = sum(denominator for _, denominator in sums)
    if not sums:
        return Rate(value=None, n=0)
    low, high = _interval(sums)
    return Rate(value=sum(numerator for numerator, _ in sums) / n, low=low, high=high, n=n)


def _interval(sums: Sequence[tuple[float, float]]) -> tuple[float | None, float | None]:
    n = len(sums)
    if n < 2:
        return None, None
    drawn = np.random.default_rng(_SEED).multinomial(n, [1 / n] * n, size=N_DRAWS) @ np.array(sums)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    return float(low), float(high)
