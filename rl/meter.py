"""Where a step's wall clock goes, and how long the rest of the run will take. What is timed is not known here."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PHASES = ("fetch", "train", "publish", "heldout")
_REMEMBERED = 10
"""Steps from whose time that of the others is told."""


class Meter:
    def __init__(self, *, workers: int) -> None:
        self._workers = workers
        self._span_s = time.perf_counter()
        self._took_s: defaultdict[str, float] = defaultdict(float)
        self._busy_s = 0.0
        self._ticks = _ticks()
        self._steps_s: deque[float] = deque(maxlen=_REMEMBERED)

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        began_s = time.perf_counter()
        try:
            yield
        finally:
            self._took_s[phase] += time.perf_counter() - began_s

    def begin(self, busy_s: float) -> None:
        """The first step begins now; `busy_s` as in `take`."""
        self._span_s, self._busy_s, self._ticks = time.perf_counter(), busy_s, _ticks()
        self._took_s.clear()

    def take(self, busy_s: float, *, steps_left: int) -> tuple[float, dict[str, float]]:
        """The seconds since the last call of this, and the step's metrics; `busy_s`: of all workers, so far."""
        now_s, ticks = time.perf_counter(), _ticks()
        seconds = now_s - self._span_s
        took_s = {phase: self._took_s[phase] for phase in PHASES}
        self._steps_s.append(seconds)
        metrics = {f"time/{phase}_s": spent_s for phase, spent_s in took_s.items()}
        metrics |= {
            "time/bookkeeping_s": seconds - sum(took_s.values()),
            "idle/trainer": took_s["fetch"] / (seconds - took_s["heldout"]),
            "idle/rollouts": 1.0 - (busy_s - self._busy_s) / (self._workers * seconds),
            "idle/processors": (ticks[0] - self._ticks[0]) / max(1, ticks[1] - self._ticks[1]),
            "eta_s": statistics.fmean(self._steps_s) * steps_left,
        }
        self._span_s, self._busy_s, self._ticks = now_s, busy_s, ticks
        self._took_s.clear()
        return seconds, metrics


def _ticks() -> tuple[int, int]:
    """Of all processors of the machine since it started, whoever used them: idle, and all (proc_stat(5))."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return ticks[3], sum(ticks)
