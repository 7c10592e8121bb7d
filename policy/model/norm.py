"""RMS norm, computed in fp32 (fp64 stays fp64), over the last axis."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """x / sqrt(mean(x²) + eps) times weight, or times weight + 1 (Gemma's, weights around 0)."""

    def __init__(
        self, dim: int, eps: float, *, plus_one: bool, dtype: torch.dtype, device: torch.device | str | None
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((dim,), 0.0 if plus_one else 1.0, dtype=dtype, device=device))
        self.shape = (dim,)
        self.eps = eps
        self.plus_one = plus_one

    def forward(self, x: Tensor) -> Tensor:
        """[..., dim] -> [..., dim], dtype kept."""
        if not self.plus_one:
            return torch.rms_norm(x, self.shape, self.weight, self.eps)
        # weight + 1 in bf16 would round the weight away
        wide = torch.promote_types(x.dtype, torch.float32)
        return torch.rms_norm(x.to(wide), self.shape, self.weight.to(wide) + 1, self.eps).to(x.dtype)
