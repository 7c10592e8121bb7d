"""The staged window opens when both conditions hold, long enough, and not before."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from pydantic import ValidationError

from rl.window import WindowConfig, WindowState, advance

CONFIG = WindowConfig(windows_tokens=(100, 200, 400), history_steps=5, patience_steps=3, slope_max=0.01, full_share=0.9)
SETTLED, FULL = 1.0, 95.0


def run(steps: Iterable[tuple[float, float]], state: WindowState | None = None) -> list[int]:
    """The stage after each step of (log perplexity, p99 length)."""
    state, stages = state or WindowState(), []
    for log_perplexity, p99 in steps:
        state = advance(state, log_perplexity, p99, CONFIG)
        stages.append(state.stage)
    return stages


def test_opens_after_history_and_patience() -> None:
    assert run([(SETTLED, FULL)] * 8) == [0] * 6 + [1, 1]


def test_short_rollouts_keep_it() -> None:
    assert run([(SETTLED, 89.0)] * 50) == [0] * 50


@pytest.mark.parametrize("slope", [0.02, -0.02])
def test_perplexity_that_moves_keeps_it(slope: float) -> None:
    assert run([(1 + slope * step, FULL) for step in range(50)]) == [0] * 50


def test_one_bad_step_starts_patience_anew() -> None:
    steps = [(SETTLED, FULL)] * 6 + [(SETTLED, 50.0)] + [(SETTLED, FULL)] * 3
    assert run(steps) == [0] * 9 + [1]


def test_the_next_stage_gathers_its_own_history() -> None:
    assert run([(SETTLED, 390.0)] * 14) == [0] * 6 + [1] * 7 + [2]


def test_the_last_stage_stays() -> None:
    assert run([(SETTLED, 400.0)] * 40, WindowState(stage=2)) == [2] * 40


def test_goes_on_from_json_after_any_step() -> None:
    steps = [(1 + 0.001 * (step % 3), FULL if step % 7 else 10.0) for step in range(40)]
    state, stages = WindowState(), []
    for step in steps:
        state = WindowState.model_validate_json(advance(state, *step, CONFIG).model_dump_json())
        stages.append(state.stage)
    assert stages == run(steps)


def test_says_how_much_may_be_sampled() -> None:
    assert WindowState(stage=1).window_tokens(CONFIG) == 200


@pytest.mark.parametrize("windows", [[], [100, 100], [200, 100], [0, 5]])
def test_windows_that_do_not_rise_are_refused(windows: list[int]) -> None:
    with pytest.raises(ValidationError, match="windows_tokens"):
        WindowConfig.model_validate({"windows_tokens": windows})
