"""The one shape of a benchmark's result, and its table."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One figure."""

    name: str
    """What was measured, from where to where."""
    value: float
    unit: str
    peer: str | None = None
    """Who else did the same in the same run."""
    peer_value: float | None = None
    ratio: float | None = None
    """How many times better than the peer."""
    bound: str = ""
    """What the figure cannot go below on this machine, or what else to read beside it."""
    target: str = ""
    met: bool | None = None
    """None: there is no target."""


def lower(
    name: str,
    value: float,
    unit: str,
    *,
    peer: str | None = None,
    peer_value: float | None = None,
    bound: str = "",
    at_most: float | None = None,
    ratio_at_least: float | None = None,
) -> Row:
    """A row of which less is better; its targets are `at_most` and `ratio_at_least` times better than the peer."""
    ratio = None if peer_value is None else peer_value / value if value else float("inf")
    wanted = [f"<= {at_most:g} {unit}"] if at_most is not None else []
    wanted += [f">= {ratio_at_least:g}x"] if ratio_at_least is not None else []
    met = (at_most is None or value <= at_most) and (ratio_at_least is None or (ratio or 0.0) >= ratio_at_least)
    return Row(name, value, unit, peer, peer_value, ratio, bound, ", ".join(wanted), met if wanted else None)


def higher(
    name: str,
    value: float,
    unit: str,
    *,
    peer: str | None = None,
    peer_value: float | None = None,
    bound: str = "",
    at_least: float | None = None,
    ratio_at_least: float | None = None,
) -> Row:
    """A row of which more is better; its targets are `at_least` and `ratio_at_least` times the peer's."""
    ratio = None if peer_value is None else value / peer_value
    wanted = [f">= {at_least:g} {unit}"] if at_least is not None else []
    wanted += [f">= {ratio_at_least:g}x"] if ratio_at_least is not None else []
    met = (at_least is None or value >= at_least) and (ratio_at_least is None or (ratio or 0.0) >= ratio_at_least)
    return Row(name, value, unit, peer, peer_value, ratio, bound, ", ".join(wanted), met if wanted else None)


def arguments(module: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{module}")
    parser.add_argument("--json", metavar="FILE", help="write the result here; - is stdout")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: for a look, not for a claim")
    return parser.parse_args()


def publish(module: str, rows: Sequence[Row], versions: Mapping[str, str], to: str | None) -> None:
    """Write the result where `--json` says, and show the table on stdout unless the JSON goes there."""
    text = json.dumps(result(module, rows, versions), indent=1)
    if to == "-":
        print(text)
        return
    if to:
        Path(to).parent.mkdir(parents=True, exist_ok=True)
        Path(to).write_text(text + "\n")
    show(rows)


def result(module: str, rows: Sequence[Row], versions: Mapping[str, str]) -> dict[str, Any]:
    return {
        "benchmark": module,
        "command": shlex.join(["python", "-m", f"benchmarks.{module}", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {"python": platform.python_version(), **versions},
        "rows": [asdict(row) for row in rows],
    }


def machine() -> dict[str, str | float]:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cpus": os.cpu_count() or 1,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30), 1),
        "kernel": platform.release(),
        "load_of_last_15_min": round(os.getloadavg()[2], 2),
    }


def show(rows: Sequence[Row]) -> None:
    table = Table(box=None)
    for heading in ("what", "value", "peer", "ratio", "bound", "target", "met"):
        table.add_column(heading)
    for row in rows:
        peer = f"{row.peer}: {row.peer_value:.4g} {row.unit}" if row.peer_value is not None else ""
        met = "" if row.met is None else "yes" if row.met else "NO"
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}x"
        table.add_row(row.name, f"{row.value:.4g} {row.unit}", peer, ratio, row.bound, row.target, met)
    Console(width=200).print(table)


_SETTLE_S = 0.15


def interleaved(n: int, **actions: Callable[[], float | None]) -> dict[str, float]:
    """Median milliseconds of each action; they take turns, so that a drift of the machine's speed hits all alike.

    An action that returns a number has timed itself, in milliseconds. After each there is a pause: what an engine's
    daemon still does for one must not be billed to the next.
    """
    samples: dict[str, list[float]] = {name: [] for name in actions}
    for turn in range(n + 1):
        for name, action in actions.items():
            began = time.perf_counter()
            own = action()
            took = 1000 * (time.perf_counter() - began) if own is None else own
            time.sleep(_SETTLE_S)
            if turn:  # the first turn warms up
                samples[name].append(took)
    return {name: statistics.median(values) for name, values in samples.items()}
