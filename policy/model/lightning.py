"""Lightning attention (MiniMax-01, arXiv 2501.08313): SiLU on q, k and v, no positions, a norm and a gate after."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kernels.lightning import decay_slopes
from policy.config import PolicyConfig
from policy.model.context import Context
from policy.model.norm import RMSNorm
from policy.model.rope import Rotation

# T tokens, H heads, D head dim, E embedding


class Lightning(nn.Module):
    def __init__(
        self, config: PolicyConfig, layer: int, *, dtype: torch.dtype, device: torch.device | str | None
    ) -> None:
        super().__init__()
        assert config.lightning is not None
        self.layer, self.n_layers = layer, config.n_layers
        self.H, self.D = config.n_heads, config.head_dim
        width = self.H * self.D
        self.qkv = nn.Linear(config.embed_dim, 3 * width, bias=False, dtype=dtype, device=device)
        """Rows interleaved by head: head 0's q, k, v, then head 1's, as on disk."""
        self.gate = nn.Linear(config.embed_dim, width, bias=False, dtype=dtype, device=device)
        self.norm = RMSNorm(width, config.lightning.norm_eps, plus_one=False, dtype=dtype, device=device)
        self.out = nn.Linear(width, config.embed_dim, bias=False, dtype=dtype, device=device)

    def forward(self, x_TE: Tensor, rotation: Rotation, context: Context) -> Tensor:
        """[T, E] -> [T, E]; the rotation is not used."""
        q, k, v = F.silu(self.qkv(x_TE)).view(-1, self.H, 3 * self.D).chunk(3, -1)
        mixed_THD = context.lightning(self.layer, q, k, v, _slopes(self.H, self.layer, self.n_layers, x_TE.device))
        # one norm over all heads together, then the gate
        out: Tensor = self.out(torch.sigmoid(self.gate(x_TE)) * self.norm(mixed_THD.flatten(1)))
        return out


# outside the module: a buffer would be rounded by model.to(bfloat16) and lost by a meta device
@lru_cache(maxsize=1024)
def _slopes(n_heads: int, layer: int, n_layers: int, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return decay_slopes(n_heads, layer, n_layers).to(device)
