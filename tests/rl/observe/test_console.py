"""What a person sees of a run, on a terminal and in a log."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator

import pytest
from rich.console import Console

from rl.observe.console import ConsoleLines
from rl.observe.sparkline import sparkline
from tests.rl.observe.records import record

FIGURES = {
    "reward__mean": 0.5,
    "lag__versions_mean": 1.25,
    "lag__versions_max": 3,
    "lag__groups_mean": 12.31,
    "idle__trainer": 0.123,
    "idle__rollouts": 0.3,
    "rate__sampled_tokens_per_s": 1234.5,
    "rate__trained_tokens_per_s": 2345,
    "rate__episodes_per_s": 31.2,
    "eta_s": 230,
}


@pytest.fixture
def log() -> Iterator[tuple[ConsoleLines, io.StringIO]]:
    """Where stderr is no terminal."""
    written = io.StringIO()
    lines = ConsoleLines(Console(file=written, width=400))
    yield lines, written
    lines.close()


def test_a_log_has_one_line_a_record(log: tuple[ConsoleLines, io.StringIO]) -> None:
    lines, written = log
    lines.record(record("start", 0, "from nothing"))
    lines.record(record("heldout", 0, success__heldout=0.31, success__unseen=0.1))
    lines.record(record("step", 1, **FIGURES, trainer__loss=0.1))
    lines.record(record("note", 1, "a second engine was lost"))
    assert written.getvalue().splitlines() == [
        "step 0  from nothing",
        "step 0  held-out 0.310  unseen 0.100",
        "step 1  reward 0.500  lag: 1.2 versions, at most 3, 12.3 groups  idle: trainer 12%, rollouts 30%  "
        "a second: 1,234 tokens sampled, 2,345 trained, 31.2 episodes  3 min 50 s left",
        "step 1  a second engine was lost",
    ]


def test_what_is_no_number_is_not_shown(log: tuple[ConsoleLines, io.StringIO]) -> None:
    lines, written = log
    lines.record(record("step", 1, reward__mean=0.25, eta_s=math.inf, idle__trainer=math.nan))
    assert written.getvalue() == "step 1  reward 0.250\n"


def test_a_terminal_shows_the_newest_figures_and_how_the_reward_went() -> None:
    written = io.StringIO()
    lines = ConsoleLines(Console(file=written, width=100, force_terminal=True, color_system=None))
    lines.record(record("start", 0))
    for step in range(1, 9):
        lines.record(record("step", step, **{**FIGURES, "reward__mean": step / 10}))
    lines.record(record("heldout", 8, success__heldout=0.31))
    lines.close()
    picture = written.getvalue().rpartition("\x1b[2K")[2]
    shown = [line.split() for line in picture.splitlines()]
    assert shown[0][:2] == ["step", "8"]
    assert shown[0][-5:] == ["3", "min", "50", "s", "left"]
    assert ["reward", "0.800", "▁▂▃▄▅▆▇█", "from", "0.100"] in shown
    assert ["held-out", "0.310", "▁"] in shown
    assert ["idle", "trainer", "12%,", "rollouts", "30%"] in shown


@pytest.mark.parametrize(
    ("values", "width", "line"),
    [
        ([], 8, ""),
        ([math.nan], 8, ""),
        ([3.0], 8, "▁"),
        ([1.0, 1.0], 8, "▁▁"),
        ([0, 1], 8, "▁█"),
        ([0.0, math.nan, 7.0], 8, "▁█"),
        ([0, 0, 7, 7], 2, "▁█"),
        (list(range(8)), 8, "▁▂▃▄▅▆▇█"),
        (list(range(800)), 8, "▁▂▃▄▅▆▇█"),
    ],
)
def test_sparkline(values: list[float], width: int, line: str) -> None:
    assert sparkline(values, width) == line
