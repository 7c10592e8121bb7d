"""How much better a rollout did than the others of its group, call by call.

One member is one rollout, however many training samples it leaves: they all take their advantages from here. It knows
rewards alone; where they come from is `reward.py`'s, how much a token weighs `denominator.py`'s business.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

from pydantic import Field

from rl.frozen import Frozen

_NO_SPREAD = 1e-6
"""Rewards this close are the same: what is left of their difference is rounding."""

Member = Sequence[float] | None
"""The rewards of a rollout's calls in order; None: infrastructure failed and nothing is known."""


class Spread(StrEnum):
    """What a group's rewards have to teach."""

    VARIED = "varied"
    """They differ: the group trains."""
    ALL_FAILED = "all_failed"
    """Every reward is 0 or less, and the same: too hard today."""
    ALL_SOLVED = "all_solved"
    """Every reward is 1 or more, and the same: too easy by now."""
    ALL_EQUAL = "all_equal"
    """Every reward is the same, in between."""
    TOO_FEW = "too_few"
    """Less than two members have a reward: nothing to compare with."""


class AdvantageConfig(Frozen):
    """Advantages relative to the group's mean."""

    divide_by: Literal["group_std", "batch_std", "nothing"] = "group_std"
    """group_std: GRPO and MiniMax-M1. batch_std: of all advantages of the batch (ScaleRL, arXiv 2510.13786), so that
    nearly equal groups are not blown up. nothing: the plain difference (arXiv 2503.20783)."""
    discount: float = Field(default=1.0, gt=0, le=1)
    """gamma, for each call that a reward lies ahead (MiniMax-M2, arXiv 2605.26494, eq. 6)."""


def spread(rewards: Sequence[float | None]) -> Spread:
    """Judge a group by its members' rewards, None for those that have none."""
    valid = [reward for reward in rewards if reward is not None]
    if len(valid) < 2:
        return Spread.TOO_FEW
    lowest, highest = min(valid), max(valid)
    if highest - lowest >= _NO_SPREAD:
        return Spread.VARIED
    return Spread.ALL_FAILED if highest <= 0 else Spread.ALL_SOLVED if lowest >= 1 else Spread.ALL_EQUAL


def advantages(groups: Sequence[Sequence[Member]], config: AdvantageConfig) -> list[list[list[float] | None]]:
    """For each group of a batch, each member and each call t: sum over p >= t of gamma^(p-t) r_p, minus B (M2 eq. 4).

    B, which M2 leaves open, is the mean of the group's returns: with one reward at the end this is the group-relative
    advantage of GRPO, at every call. Members without rewards get None and count in no mean. Standard deviations are the
    population's, of whole returns; where they are 0, nothing is divided.

    Raises:
        ValueError: a group has less than two members with rewards, or a member's rewards are empty.
    """
    centred = [_centred(group, config.discount) for group in groups]
    if config.divide_by == "batch_std":
        scale = _std([member for group in centred for member in group])
        return [_divided(group, scale) for group in centred]
    if config.divide_by == "group_std":
        return [_divided(group, _std(group)) for group in centred]
    return centred


def returns(rewards: Sequence[float], discount: float) -> list[float]:
    """Reward-to-go of each call: what it earned and, discounted, all that came after."""
    to_go, ahead = [], 0.0
    for reward in reversed(rewards):
        ahead = reward + discount * ahead
        to_go.append(ahead)
    return to_go[::-1]


def _centred(group: Sequence[Member], discount: float) -> list[list[float] | None]:
    usable = [member for member in group if member]
    if len(usable) < 2 or any(member is not None and not member for member in group):
        raise ValueError(f"found a group with {len(usable)} usable members, wanted at least 2, each with a call")
    to_go = [None if member is None else returns(member, discount) for member in group]
    baseline = statistics.fmean(member[0] for member in to_go if member)
    return [None if member is None else [each - baseline for each in member] for member in to_go]


def _std(members: Sequence[list[float] | None]) -> float:
    """Of the members' whole returns, which are those of their first calls."""
    wholes = [member[0] for member in members if member]
    return statistics.pstdev(wholes) if wholes else 0.0


def _divided(members: Sequence[list[float] | None], scale: float) -> list[list[float] | None]:
    if scale < _NO_SPREAD:
        return list(members)
    return [None if member is None else [each / scale for each in member] for member in members]
