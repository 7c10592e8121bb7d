"""Dense feed-forward: gate and up projections in one weight, a gated unit, the down projection."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from policy.config import ClampedSwiGLU
from policy.model.context import Context


def gated(gate_up: Tensor, clamped: ClampedSwiGLU | None) -> Tensor:
    """[..., 2F] -> [..., F]; gate is the first half. SwiGLU (arXiv 2002.05202), or its clamped form."""
    gate, up = gate_up.chunk(2, -1)
    if clamped is None:
        return F.silu(gate) * up
    gate, up = gate.clamp(max=clamped.limit), up.clamp(-clamped.limit, clamped.limit)
    return (up + 1) * (gate * torch.sigmoid(clamped.alpha * gate))


class MLP(nn.Module):
    def __init__(
        self,
        embed_dim: int,
        ffn_dim: int,
        clamped: ClampedSwiGLU | None,
        *,
        dtype: torch.dtype,
        device: torch.device | str | None,
    ) -> None:
        super().__init__()
        self.gate_up = nn.Linear(embed_dim, 2 * ffn_dim, bias=False, dtype=dtype, device=device)
        self.down = nn.Linear(ffn_dim, embed_dim, bias=False, dtype=dtype, device=device)
        self.clamped = clamped

    def forward(self, x_TE: Tensor, context: Context) -> Tensor:
        """[T, E] -> [T, E]; the context is not used."""
        down: Tensor = self.down(gated(self.gate_up(x_TE), self.clamped))
        return down
