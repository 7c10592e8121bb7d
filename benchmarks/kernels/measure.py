"""Time and memory of one action, on the CPU or on a GPU."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

Action = Callable[[], object]

# the profiler greets on stderr otherwise
os.environ.setdefault("KINETO_LOG_LEVEL", "9")

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
    """Median of n, after one that warms up unless n is 1: processor time of this thread, torch's only one.

    Not the clock's: what else runs on the machine counts little so.
    """
    assert torch.get_num_threads() == 1
    samples = []
    for turn in range(n + 1 if n > 1 else 1):
        began = time.thread_time()
        action()
        if turn or n == 1:
            samples.append(1000 * (time.thread_time() - began))
    return statistics.median(samples)


def gpu_ms(action: Action, n: int, warm: int = 5) -> float:
    """Median of n by CUDA events, after `warm` that warm up and compile, each from a cold L2 cache."""
    for _ in range(warm):
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
