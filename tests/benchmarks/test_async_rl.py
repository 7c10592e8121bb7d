"""That the simulated rows hold what they claim."""

from __future__ import annotations

from benchmarks.async_rl import simulated


def test_rows() -> None:
    rows = simulated(20)
    assert all(row.met in (None, True) for row in rows)
    assert [row.peer for row in rows if row.ratio and row.peer] == ["sync", "sync, train steps twice as quick", "sync"]
    assert all(row.bound for row in rows)
