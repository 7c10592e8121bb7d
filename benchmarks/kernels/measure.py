"""Time and memory of one action, on the CPU or on a GPU."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

Action = Callable[[], object]

_L2_BYTES = 64 << 20
"""More than a Hopper GPU's L2 cache holds; written between repetitions."""


def peak_bytes(action: Action, device: str) -> int:
    """The most memory that `action` held at once above what was held before, what it returns included.

    On device "cpu" read from the allocator's events, so that temporaries inside of torch's operators count.
    """
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        action()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        action()
    assert profiler.profiler is not None
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def cpu_ms(action: Action, n: int) -> float:
    """Median of n, after one that warms up."""
    samples = []
    for _ in range(n + 1):
        began = time.perf_counter()
        action()
        samples.append(1000 * (time.perf_counter() - began))
    return statistics.median(samples[1:])


def gpu_ms(action: Action, n: int) -> float:
    """Median of n by CUDA events, after five that warm up and compile, each from a cold L2 cache."""
    for _ in range(5):
        action()
    flush = torch.empty(_L2_BYTES, dtype=torch.int8, device="cuda")
    samples: list[float] = []
    for _ in range(n):
        flush.zero_()
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        began.record()
        action()
        ended.record()
        ended.synchronize()
        samples.append(began.elapsed_time(ended))
    return statistics.median(samples)
