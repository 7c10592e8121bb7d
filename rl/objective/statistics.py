"""Statistics of importance ratios that the loss and the mismatch share. No gradient, no policy."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def effective_share(ratio_N: Tensor) -> float:
    """Effective sample size as a share of the sample (Kish): (sum r)^2 / (N sum r^2), in (0, 1]."""
    return (ratio_N.sum().square() / (len(ratio_N) * ratio_N.square().sum())).item()


def quantile(values_N: Tensor, q: float) -> float:
    """The smallest value that at least a share q of the values does not exceed; torch's own stops at 2^24 values."""
    return torch.kthvalue(values_N, max(1, math.ceil(q * len(values_N)))).values.item()
