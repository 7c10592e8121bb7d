"""Each denominator against the sums that its paper writes, by brute force."""

from __future__ import annotations

import random

import pytest

from rl.objective.denominator import SampleShape, sample_scales

Group = list[list[int]]
"""Token counts: of each rollout, of each of its samples."""
GROUPS: list[Group] = [[[5], [3, 2]], [[1], [7], [4, 0]], [[0], [0]], [[2], [0]]]


def shapes(groups: list[Group] = GROUPS) -> list[SampleShape]:
    return [
        SampleShape(n_tokens, rollout, group)
        for group, rollouts in enumerate(groups)
        for rollout, samples in enumerate(rollouts)
        for n_tokens in samples
    ]


def total(values: dict[tuple[int, int], float], denominator: str, mix: float = 0.5) -> float:
    """The loss where each token of rollout (group, rollout) has the loss values[group, rollout]."""
    scales = sample_scales(shapes(), denominator, mix=mix)  # type: ignore[arg-type]
    return sum(
        s * shape.n_tokens * values[shape.group, shape.rollout] for s, shape in zip(scales, shapes(), strict=True)
    )


@pytest.fixture
def values() -> dict[tuple[int, int], float]:
    rng = random.Random(0)
    return {(g, r): rng.gauss(0, 1) for g, group in enumerate(GROUPS) for r in range(len(group))}


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)


def group_tokens(values: dict[tuple[int, int], float]) -> float:
    """E_q [ sum_i sum_t l / sum_i |o_i| ]."""
    return _mean([
        sum(sum(samples) * values[g, r] for r, samples in enumerate(group)) / sum(map(sum, group))
        for g, group in enumerate(GROUPS) if sum(map(sum, group))
    ])  # fmt: skip


def rollout_mean(values: dict[tuple[int, int], float]) -> float:
    """E_q [ 1/G sum_i 1/|o_i| sum_t l ]."""
    return _mean([
        _mean([values[g, r] for r, samples in enumerate(group) if sum(samples)])
        for g, group in enumerate(GROUPS) if sum(map(sum, group))
    ])  # fmt: skip


def global_tokens(values: dict[tuple[int, int], float]) -> float:
    n_tokens = sum(sum(samples) for group in GROUPS for samples in group)
    return (
        sum(sum(samples) * values[g, r] for g, group in enumerate(GROUPS) for r, samples in enumerate(group)) / n_tokens
    )


def test_against_brute_force(values: dict[tuple[int, int], float]) -> None:
    for function in (group_tokens, global_tokens, rollout_mean):
        assert total(values, function.__name__) == pytest.approx(function(values)), function.__name__
    mixed = 0.3 * rollout_mean(values) + 0.7 * group_tokens(values)
    assert total(values, "rollout_token_mix", mix=0.3) == pytest.approx(mixed)


@pytest.mark.parametrize("denominator", ["group_tokens", "global_tokens", "rollout_mean", "rollout_token_mix"])
def test_a_rollout_in_several_samples_weighs_as_in_one(denominator: str) -> None:
    whole = shapes([[[6], [4]], [[3], [3]]])
    split = shapes([[[1, 2, 3], [4]], [[3], [3]]])
    before, after = (sample_scales(s, denominator) for s in (whole, split))  # type: ignore[arg-type]
    assert after[:3] == pytest.approx([before[0]] * 3)
    assert after[3:] == pytest.approx(before[1:])


@pytest.mark.parametrize("denominator", ["group_tokens", "global_tokens", "rollout_mean", "rollout_token_mix"])
def test_order_does_not_matter(denominator: str) -> None:
    there = sample_scales(shapes(), denominator)  # type: ignore[arg-type]
    back = sample_scales(shapes()[::-1], denominator)  # type: ignore[arg-type]
    assert back[::-1] == there


def test_a_batch_of_nothing_divides_by_nothing() -> None:
    assert sample_scales([], "global_tokens") == []
    assert sample_scales([SampleShape(0, 0, 0)], "group_tokens") == [0.0]
