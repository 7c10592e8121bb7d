"""The one shape of a benchmark's result."""

from __future__ import annotations

import json
import os

import pytest

from benchmarks.report import Row, higher, interleaved, lower, result
from benchmarks.sandbox import descendants


def test_shape() -> None:
    found = json.loads(json.dumps(result("sandbox", [lower("start", 8.0, "ms", at_most=10)], {"engine": "1"})))
    assert list(found) == ["benchmark", "command", "date", "machine", "versions", "rows"]
    assert found["machine"]["cpus"] == os.cpu_count()
    assert list(found["rows"][0]) == [
        "name", "value", "unit", "peer", "peer_value", "ratio", "bound", "target", "met",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "peer_value", "met"),
    [(8.0, 400.0, True), (8.0, 200.0, False), (11.0, 4000.0, False), (10.0, 400.0, True)],
)
def test_a_target_is_met_in_all_its_parts(value: float, peer_value: float, met: bool) -> None:
    row = lower("start", value, "ms", peer="docker", peer_value=peer_value, at_most=10, ratio_at_least=40)
    assert row.met is met
    assert row.target == "<= 10 ms, >= 40x"


def test_without_target_nothing_is_met_or_missed() -> None:
    assert lower("exec", 3.0, "ms").met is None
    assert Row("cycle", 20.0, "ms").met is None


def test_nothing_left_is_a_target() -> None:
    assert lower("left behind", 0, "things", at_most=0).met is True
    assert lower("left behind", 1, "things", at_most=0).met is False


def test_actions_take_turns() -> None:
    order: list[str] = []
    took = interleaved(2, a=lambda: order.append("a"), b=lambda: order.append("b"), own=lambda: 7.0)
    assert order == ["a", "b"] * 3
    assert took["own"] == 7.0


def test_descendants_hold_the_process_itself() -> None:
    assert os.getpid() in descendants(os.getpid())


@pytest.mark.parametrize(("value", "met"), [(2000.0, True), (1999.0, False)])
def test_more_is_better_where_it_is_said(value: float, met: bool) -> None:
    row = higher("calls", value, "calls/s", peer="proxy", peer_value=500.0, at_least=2000, ratio_at_least=1)
    assert (row.met, row.target, row.ratio) == (met, ">= 2000 calls/s, >= 1x", value / 500)
    assert higher("calls", value, "calls/s").met is None
