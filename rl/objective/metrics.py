"""What to log of one pass of the loss over a batch: how far the ratios are, and what the cap and the mask did."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rl.objective.cispo import ObjectiveConfig, PolicyGradient
from rl.objective.statistics import effective_share, quantile


def objective_metrics(
    passes: Sequence[PolicyGradient],
    advantages: Sequence[Tensor],
    masks: Sequence[Tensor],
    config: ObjectiveConfig,
    entropies: Sequence[Tensor] | None = None,
) -> dict[str, float]:
    """Metrics by name, over all tokens of the microbatches that train; empty where there is none.

    ratio_*: importance ratios. capped_share: tokens whose ratio is over w_max, of all, and of those of positive and of
    negative advantage. untrusted_share: tokens that eq. 7 took out. weight_mean: what was left of the ratios.
    effective_share: effective sample size / tokens. entropy_mean: nats.
    """
    mask_T = torch.cat(list(masks))
    ratio_T = torch.cat([each.ratio_T for each in passes])[mask_T]
    weight_T = torch.cat([each.weight_T for each in passes])[mask_T]
    advantages_T = torch.cat(list(advantages))[mask_T]
    if not len(ratio_T):
        return {}
    capped_T = ratio_T > config.w_max
    metrics = {
        "ratio_mean": ratio_T.mean().item(),
        "ratio_p95": quantile(ratio_T, 0.95),
        "ratio_max": ratio_T.max().item(),
        "capped_share": _share(capped_T),
        "capped_share_positive": _share(capped_T[advantages_T > 0]),
        "capped_share_negative": _share(capped_T[advantages_T < 0]),
        "untrusted_share": _share(weight_T == 0),
        "weight_mean": weight_T.mean().item(),
        "effective_share": effective_share(ratio_T),
    }
    if entropies is not None:
        metrics["entropy_mean"] = torch.cat(list(entropies)).detach()[mask_T].mean().item()
    return metrics


def _share(condition_T: Tensor) -> float:
    return condition_T.double().mean().item() if len(condition_T) else 0.0
