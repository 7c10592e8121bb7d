"""The specification: all logits in memory. Autograd differentiates it."""

from __future__ import annotations

import torch
from torch import Tensor

IGNORED = -100
"""A target that is none: its log-probability and entropy are 0, and nothing gets a gradient from it."""


def whole(hidden_TE: Tensor, weight_VE: Tensor, targets_T: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Log-probabilities and entropies [T] of softmax(hidden weight^T / temperature), in float32 at least."""
    dtype = torch.promote_types(hidden_TE.dtype, torch.float32)
    logits_TV = hidden_TE.to(dtype) @ weight_VE.to(dtype).T / temperature
    logprobs_TV = logits_TV.log_softmax(-1)
    entropy_T = -(logprobs_TV.exp() * logprobs_TV).sum(-1)
    chosen_T = logprobs_TV.gather(-1, targets_T.clamp(min=0)[:, None]).squeeze(-1)
    ignored_T = targets_T == IGNORED
    return chosen_T.masked_fill(ignored_T, 0), entropy_T.masked_fill(ignored_T, 0)
