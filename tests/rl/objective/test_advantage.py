"""Advantages by hand."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl.objective.advantage import AdvantageConfig, Spread, advantages, returns, spread

PLAIN = AdvantageConfig(divide_by="nothing")


def test_one_reward_at_the_end_is_grpos_advantage_at_every_call() -> None:
    rewards = [1.0, 0.0, 0.0, 1.0, 0.0]
    group = [[0.0, 0.0, reward] for reward in rewards]
    std = statistics.pstdev(rewards)
    (got,) = advantages([group], AdvantageConfig())
    for reward, member in zip(rewards, got, strict=True):
        assert member == pytest.approx([(reward - 0.4) / std] * 3)
    (got,) = advantages([group], PLAIN)
    assert got[1] == pytest.approx([-0.4] * 3)


def test_reward_to_go_minus_the_groups_mean_return() -> None:
    """M2 eq. 4: what lies behind a call is not its merit."""
    (got,) = advantages([[[0.5, 0.0, 1.0], [0.0, 0.5]]], PLAIN)
    assert got[0] == pytest.approx([1.5 - 1.0, 1.0 - 1.0, 1.0 - 1.0])
    assert got[1] == pytest.approx([0.5 - 1.0, 0.5 - 1.0])


def test_discounted_returns() -> None:
    assert returns([1.0, 2.0, 4.0], 0.5) == pytest.approx([1 + 1 + 1, 2 + 2, 4])
    assert returns([1.0, 2.0, 4.0], 1.0) == [7.0, 6.0, 4.0]


def test_batch_std_does_not_blow_up_a_nearly_equal_group() -> None:
    groups = [[[1.0], [0.0]], [[0.01], [0.0]]]
    per_group = advantages(groups, AdvantageConfig())
    assert per_group[1][0] == pytest.approx([1.0])
    std = statistics.pstdev([0.5, -0.5, 0.005, -0.005])
    per_batch = advantages(groups, AdvantageConfig(divide_by="batch_std"))
    assert per_batch[0][0] == pytest.approx([0.5 / std])
    assert per_batch[1][0] == pytest.approx([0.005 / std])


def test_members_without_a_reward_are_left_out() -> None:
    (got,) = advantages([[[1.0], None, [0.0], None]], PLAIN)
    assert got == [[0.5], None, [-0.5], None]


@pytest.mark.parametrize("group", [[], [[1.0]], [[1.0], None], [[1.0], [0.0], []]])
def test_a_group_without_two_to_compare_is_refused(group: list[list[float] | None]) -> None:
    with pytest.raises(ValueError, match="usable members, wanted at least 2"):
        advantages([group], PLAIN)


@pytest.mark.parametrize("divide_by", ["group_std", "batch_std", "nothing"])
def test_rounding_is_no_signal(divide_by: str) -> None:
    (got,) = advantages([[[0.1 + 0.2], [0.3]]], AdvantageConfig(divide_by=divide_by))
    assert got[0] == pytest.approx([0.0], abs=1e-12)


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=16))
def test_a_groups_advantages_sum_to_zero(rewards: list[float]) -> None:
    for divide_by in ("nothing", "group_std"):
        (got,) = advantages([[[reward] for reward in rewards]], AdvantageConfig(divide_by=divide_by))
        assert sum(member[0] for member in got if member) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("rewards", "found"),
    [
        ([1.0, 0.0], Spread.VARIED),
        ([1.0, None, 0.0], Spread.VARIED),
        ([0.0, 0.0, None], Spread.ALL_FAILED),
        ([-1.0, -1.0], Spread.ALL_FAILED),
        ([1.0, 1.0], Spread.ALL_SOLVED),
        ([0.5, 0.5], Spread.ALL_EQUAL),
        ([0.1 + 0.2, 0.3], Spread.ALL_EQUAL),
        ([1.0, None], Spread.TOO_FEW),
        ([None, None], Spread.TOO_FEW),
        ([], Spread.TOO_FEW),
    ],
)
def test_spread(rewards: list[float | None], found: Spread) -> None:
    assert spread(rewards) is found
