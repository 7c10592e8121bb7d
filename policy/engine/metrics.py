"""What an engine says of itself: counts since it started, and how things stand now."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

_WINDOW_S = 10.0


@dataclass(frozen=True, slots=True)
class Metrics:
    version: int
    kernels: str
    """How linear layers, decode attention, norms and SwiGLUs are computed: "native" (compiled here) or "torch"."""
    waiting: int
    """Requests that hold nothing yet."""
    running: int
    pages_total: int
    pages_used: int
    """Held by running requests; shared ones count once."""
    pages_idle: int
    """Kept only for prefix reuse; they give way."""
    state_rows_used: int
    state_snapshots: int
    steps: int
    prompt_tokens: int
    """Of admitted requests."""
    reused_tokens: int
    """Of those, spared by prefix reuse."""
    computed_tokens: int
    """Prefill, decode and recomputation."""
    sampled_tokens: int
    sampled_tokens_per_s: float
    """Over the last 10 seconds."""
    preemptions: int
    updates: int
    finished: dict[str, int]
    """By finish reason."""


class Rate:
    """Events a second over the last few seconds."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._events: deque[tuple[float, int]] = deque()

    def add(self, n: int) -> None:
        self._events.append((time.monotonic(), n))
        self._drop()

    def per_s(self) -> float:
        self._drop()
        span_s = min(_WINDOW_S, time.monotonic() - self._began_s)
        return sum(n for _, n in self._events) / span_s if span_s else 0.0

    def _drop(self) -> None:
        old = time.monotonic() - _WINDOW_S
        while self._events and self._events[0][0] < old:
            self._events.popleft()
