"""Logits to ids. Every row is worked on alone, and its random number is its request's: the batch changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from policy.engine.config import SamplingParams

# N rows (requests that sample in this step), V vocabulary


class Sampled(NamedTuple):
    ids: list[int]
    logprobs: list[float]
    """Under softmax(logits / temperature) over all of V; temperature 1 for greedy rows."""


def sample(logits_NV: Tensor, params_N: Sequence[SamplingParams], uniforms_N: Sequence[float]) -> Sampled:
    """One id a row from fp32 logits: the likeliest where temperature is 0, else by inverse CDF in order of ids.

    `uniforms_N` are in [0, 1). Top-k, then top-p, cut the distribution that is drawn from; never the logprob.
    """
    ids_N = logits_NV.argmax(-1)
    drawn = [i for i, params in enumerate(params_N) if params.temperature > 0]
    warm = [params_N[i] for i in drawn]
    if any(params.temperature != 1 for params in warm):
        temperatures = [params.temperature or 1.0 for params in params_N]
        logits_NV = logits_NV / torch.tensor(temperatures, device=logits_NV.device)[:, None]
    if drawn:
        # fp64, since a cumulated sum over a vocabulary would drop the tail's tokens
        weights = (logits_NV[drawn] if len(drawn) < len(logits_NV) else logits_NV).double().softmax(-1)
        cut = [row for row, params in enumerate(warm) if params.top_k or params.top_p < 1]
        if cut:
            weights[cut] = _cut(weights[cut], [warm[row] for row in cut])
        cdf = weights.cumsum(-1)
        uniforms = torch.tensor([uniforms_N[i] for i in drawn], dtype=cdf.dtype, device=cdf.device)
        # right: a token of weight 0 spans nothing and cannot be hit
        picked = torch.searchsorted(cdf, uniforms[:, None] * cdf[:, -1:], right=True)[:, 0]
        last = weights.shape[1] - 1 - (weights > 0).flip(1).to(torch.uint8).argmax(1)
        ids_N[drawn] = torch.minimum(picked, last)
    chosen_N = logits_NV.log_softmax(-1).gather(1, ids_N[:, None])[:, 0]
    return Sampled(ids_N.tolist(), chosen_N.tolist())


def _cut(weights_NV: Tensor, params_N: Sequence[SamplingParams]) -> Tensor:
    """Zero all but the top_k likeliest, then all outside the smallest set of them that has top_p of what is left."""
    V = weights_NV.shape[1]
    ordered_NV, order_NV = weights_NV.sort(dim=-1, descending=True, stable=True)
    ks = torch.tensor([params.top_k or V for params in params_N], device=weights_NV.device)
    ps = torch.tensor([params.top_p for params in params_N], dtype=torch.float64, device=weights_NV.device)
    ordered_NV = ordered_NV * (torch.arange(V, device=weights_NV.device) < ks[:, None])
    before_NV = ordered_NV.cumsum(-1) - ordered_NV
    # the likeliest stays even if rounding says that nothing comes before p is reached
    kept_NV = before_NV < ps[:, None] * ordered_NV.sum(-1, keepdim=True)
    return torch.zeros_like(weights_NV).scatter(1, order_NV, ordered_NV * kept_NV)
