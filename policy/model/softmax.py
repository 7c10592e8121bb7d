"""Grouped-query softmax attention with RoPE; norms and biases of queries and keys as the config says."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from policy.config import PolicyConfig
from policy.model.context import Context
from policy.model.norm import RMSNorm
from policy.model.rope import Rotation

# T tokens, H query heads, K kv heads, D head dim, E embedding


class QKV(nn.Module):
    """Queries, keys and values of softmax and MSA mixers: one projection, normed."""

    def __init__(self, config: PolicyConfig, *, dtype: torch.dtype, device: torch.device | str | None) -> None:
        super().__init__()
        self.H, self.K, self.D = config.n_heads, config.n_kv_heads, config.head_dim
        self.per_head = config.qk_norm == "head"
        width = (self.H + 2 * self.K) * self.D
        self.proj = nn.Linear(config.embed_dim, width, bias=config.qkv_bias, dtype=dtype, device=device)

        def norm(n_heads: int) -> RMSNorm | None:
            dim = {"none": 0, "head": self.D, "projection": n_heads * self.D}[config.qk_norm]
            if not dim:
                return None
            return RMSNorm(dim, config.norm_eps, plus_one=config.norm_plus_one, dtype=dtype, device=device)

        self.q_norm, self.k_norm = norm(self.H), norm(self.K)

    def forward(self, x_TE: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[T, E] -> q [T, H, D], k [T, K, D], v [T, K, D]; views of one tensor where nothing is normed."""
        H, K, D = self.H, self.K, self.D
        q, k, v = self.proj(x_TE).split((H * D, K * D, K * D), -1)
        if self.per_head:
            q, k = q.view(-1, H, D), k.view(-1, K, D)
        if self.q_norm is not None and self.k_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        return q.view(-1, H, D), k.view(-1, K, D), v.view(-1, K, D)


class Softmax(nn.Module):
    def __init__(
        self, config: PolicyConfig, layer: int, *, dtype: torch.dtype, device: torch.device | str | None
    ) -> None:
        super().__init__()
        self.layer = layer
        self.scale = config.head_dim**-0.5
        self.qkv = QKV(config, dtype=dtype, device=device)
        width = config.n_heads * config.head_dim
        self.out = nn.Linear(width, config.embed_dim, bias=False, dtype=dtype, device=device)

    def forward(self, x_TE: Tensor, rotation: Rotation, context: Context) -> Tensor:
        """[T, E] -> [T, E]."""
        q, k, v = self.qkv(x_TE)
        out: Tensor = self.out(context.softmax(self.layer, q, k, v, rotation, self.scale).flatten(1))
        return out
