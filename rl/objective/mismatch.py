"""How far the trainer's probabilities are from those the tokens were sampled with, and when that ends a run.

Two forwards of the trainer over the same tokens, in other microbatches, give the baseline under which no mismatch can
come. It knows neither why the two differ nor how old the samples are.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from pydantic import Field
from torch import Tensor

from rl.frozen import Frozen
from rl.objective.statistics import effective_share, quantile


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Over the tokens under the loss mask; r = exp(trainer_logprobs - sampler_logprobs)."""

    n_tokens: int
    k3_mean: float
    """Nats: mean of r - 1 - log r, an estimate of KL(sampler || trainer) that is never negative."""
    k3_p95: float
    k3_max: float
    pearson: float | None
    """Correlation of the tokens' probabilities (MiniMax-M1 fig. 3 wants > 0.99). None: they are all the same."""
    delta_max: float
    """Nats: largest |trainer_logprobs - sampler_logprobs|."""
    effective_share: float
    """Effective sample size / tokens, in (0, 1]."""
    outside_share: float
    """Part of the tokens with r outside [0.9, 1.1]."""

    def metrics(self) -> dict[str, float]:
        return {name: value for name, value in asdict(self).items() if value is not None}


class MismatchLimits(Frozen):
    """Beyond any of these a run stops: what it would learn from is noise."""

    k3_mean_max: float = Field(default=0.5, gt=0)
    """Nats. Sound runs stay around 0.001 to 0.05, stale samples included."""
    pearson_min: float = Field(default=0.8, ge=-1, lt=1)
    """Correlation of token probabilities."""
    effective_share_min: float = Field(default=0.1, ge=0, lt=1)
    """Effective sample size / tokens."""
    tokens_min: int = Field(default=256, gt=0)
    """Fewer tokens than this are judged on being finite alone."""


def measure(trainer_logprobs_T: Tensor, sampler_logprobs_T: Tensor, mask_T: Tensor) -> Mismatch:
    """Compare logprobs [T] of the same tokens where mask_T is True, in float64. ValueError: it is True nowhere."""
    if not mask_T.any():
        raise ValueError("found no token under the loss mask, wanted at least 1")
    trainer_N, sampler_N = (x.detach()[mask_T].double() for x in (trainer_logprobs_T, sampler_logprobs_T))
    delta_N = trainer_N - sampler_N
    ratio_N = delta_N.exp()
    k3_N = ratio_N - 1 - delta_N
    return Mismatch(
        n_tokens=len(delta_N),
        k3_mean=k3_N.mean().item(),
        k3_p95=quantile(k3_N, 0.95),
        k3_max=k3_N.max().item(),
        pearson=_pearson(trainer_N.exp(), sampler_N.exp()),
        delta_max=delta_N.abs().max().item(),
        effective_share=effective_share(ratio_N),
        outside_share=((ratio_N < 0.9) | (ratio_N > 1.1)).double().mean().item(),
    )


def exploded(mismatch: Mismatch, limits: MismatchLimits) -> str | None:
    """Why the run has to stop, in one line; None: it need not."""
    if not all(math.isfinite(value) for value in mismatch.metrics().values()):
        return (
            "mismatch: found logprobs that are not finite, wanted numbers: the weights have diverged or an engine is "
            "broken; go back to the last checkpoint with a lower learning rate"
        )
    if mismatch.n_tokens < limits.tokens_min:
        return None
    found = []
    if mismatch.k3_mean > limits.k3_mean_max:
        found.append(f"k3 {mismatch.k3_mean:.3g} nats over {limits.k3_mean_max:g}")
    if mismatch.pearson is not None and mismatch.pearson < limits.pearson_min:
        found.append(f"Pearson {mismatch.pearson:.3f} under {limits.pearson_min:g}")
    if mismatch.effective_share < limits.effective_share_min:
        found.append(f"effective share {mismatch.effective_share:.3f} under {limits.effective_share_min:g}")
    if not found:
        return None
    return (
        f"mismatch: sampler and trainer disagree over {mismatch.n_tokens} tokens: {', '.join(found)}; check that both "
        "have the same weights, temperature, head precision and top_p = 1, or allow less staleness"
    )


def _pearson(a_N: Tensor, b_N: Tensor) -> float | None:
    a_N, b_N = a_N - a_N.mean(), b_N - b_N.mean()
    a_std, b_std = (x.square().mean().sqrt() for x in (a_N, b_N))
    if min(a_std, b_std) < 1e-9:  # what differs is rounding
        return None
    return ((a_N * b_N).mean() / (a_std * b_std)).item()
