"""Mismatch figures by hand, and what ends a run."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from rl.objective.mismatch import MismatchLimits, exploded, measure

LIMITS = MismatchLimits()


def test_by_hand() -> None:
    sampler = torch.tensor([0.5, 0.25, 0.8, 0.1]).log()
    ratio = torch.tensor([1.0, 2.0, 0.95, 5.0])
    measured = measure(sampler + ratio.log(), sampler, torch.tensor([True, True, True, False]))
    k3 = [r - 1 - math.log(r) for r in (1.0, 2.0, 0.95)]
    assert measured.n_tokens == 3
    assert measured.k3_mean == pytest.approx(sum(k3) / 3)
    assert (measured.k3_p95, measured.k3_max) == pytest.approx((max(k3), max(k3)))
    assert measured.delta_max == pytest.approx(math.log(2))
    assert measured.effective_share == pytest.approx((1 + 2 + 0.95) ** 2 / (3 * (1 + 4 + 0.95**2)))
    assert measured.outside_share == pytest.approx(1 / 3)
    x, y = torch.tensor([0.5, 0.5, 0.76]), torch.tensor([0.5, 0.25, 0.8])
    assert measured.pearson == pytest.approx(torch.corrcoef(torch.stack([x, y]))[0, 1].item(), abs=1e-6)


def test_equal_probabilities_are_no_mismatch() -> None:
    logprobs = -torch.rand(300, generator=torch.Generator().manual_seed(0))
    measured = measure(logprobs, logprobs, torch.ones(300, dtype=torch.bool))
    assert (measured.k3_mean, measured.k3_max, measured.delta_max, measured.outside_share) == (0, 0, 0, 0)
    assert (measured.pearson, measured.effective_share) == pytest.approx((1.0, 1.0))
    assert exploded(measured, LIMITS) is None


def test_p95_is_not_moved_by_a_few() -> None:
    sampler = torch.full((1000,), -1.0)
    trainer = sampler.clone()
    trainer[:40] += 3.0
    measured = measure(trainer, sampler, torch.ones(1000, dtype=torch.bool))
    assert measured.k3_p95 == 0
    assert measured.k3_max == pytest.approx(math.e**3 - 4)
    assert measured.pearson is None, "the sampler's probabilities are all the same"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"k3_mean": 0.51}, "k3 0.51 nats over 0.5"),
        ({"pearson": 0.79}, "Pearson 0.790 under 0.8"),
        ({"effective_share": 0.09}, "effective share 0.090 under 0.1"),
        ({"k3_mean": math.inf}, "not finite"),
        ({"pearson": math.nan, "n_tokens": 1}, "not finite"),
    ],
)
def test_each_limit_stops_with_one_line(found: dict[str, float], said: str) -> None:
    logprobs = -torch.rand(300, generator=torch.Generator().manual_seed(0))
    sound = measure(logprobs, logprobs, torch.ones(300, dtype=torch.bool))
    line = exploded(replace(sound, **found), LIMITS)  # type: ignore[arg-type]
    assert line is not None
    assert said in line
    assert "\n" not in line


def test_few_tokens_are_not_judged() -> None:
    logprobs = -torch.rand(300, generator=torch.Generator().manual_seed(0))
    measured = measure(logprobs, logprobs, torch.ones(300, dtype=torch.bool))
    assert exploded(replace(measured, k3_mean=9.0, n_tokens=255), LIMITS) is None
    assert exploded(replace(measured, k3_mean=9.0, n_tokens=256), LIMITS) is not None


def test_weights_that_diverged_are_found() -> None:
    broken = torch.full((4,), math.nan)
    assert "not finite" in (exploded(measure(broken, -torch.ones(4), torch.ones(4, dtype=torch.bool)), LIMITS) or "")


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="no token under the loss mask"):
        measure(torch.zeros(3), torch.zeros(3), torch.zeros(3, dtype=torch.bool))
