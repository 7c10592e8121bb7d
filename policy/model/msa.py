"""MiniMax sparse attention (arXiv 2606.13392): the softmax mixer with a small index branch that picks blocks of keys.

The index branch reads its input without gradient; it learns from its own loss alone (`index_loss_coeff` of a context).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from policy.config import PolicyConfig
from policy.model.context import Context
from policy.model.norm import RMSNorm
from policy.model.rope import Rotation
from policy.model.softmax import QKV

# T tokens, H query heads, K kv heads, D head dim, I index dim, E embedding


class MSA(nn.Module):
    def __init__(
        self, config: PolicyConfig, layer: int, *, dtype: torch.dtype, device: torch.device | str | None
    ) -> None:
        super().__init__()
        assert config.msa is not None
        self.layer, self.config = layer, config.msa
        self.qkv = QKV(config, dtype=dtype, device=device)
        width = config.n_heads * config.head_dim
        self.out = nn.Linear(width, config.embed_dim, bias=False, dtype=dtype, device=device)
        self.index = Index(config, dtype=dtype, device=device)

    def forward(self, x_TE: Tensor, rotation: Rotation, context: Context) -> Tensor:
        """[T, E] -> [T, E]."""
        q, k, v = self.qkv(x_TE)
        index_q_TKI, index_k_TI = self.index(x_TE.detach(), rotation)
        mixed_THD = context.msa(self.layer, rotation(q), rotation(k), v, index_q_TKI, index_k_TI, self.config)
        out: Tensor = self.out(mixed_THD.flatten(1))
        return out


class Index(nn.Module):
    """One query head for each kv head and one key head for all; normed where the main branch is."""

    def __init__(self, config: PolicyConfig, *, dtype: torch.dtype, device: torch.device | str | None) -> None:
        super().__init__()
        assert config.msa is not None
        self.K, self.dim = config.n_kv_heads, config.msa.index_dim
        width = (self.K + 1) * self.dim
        self.proj = nn.Linear(config.embed_dim, width, bias=False, dtype=dtype, device=device)

        def norm() -> RMSNorm | None:
            if config.qk_norm == "none":
                return None
            return RMSNorm(self.dim, config.norm_eps, plus_one=config.norm_plus_one, dtype=dtype, device=device)

        self.q_norm, self.k_norm = norm(), norm()

    def forward(self, x_TE: Tensor, rotation: Rotation) -> tuple[Tensor, Tensor]:
        """[T, E] -> index_q [T, K, I], index_k [T, I]."""
        qk_TSI = self.proj(x_TE).view(-1, self.K + 1, self.dim)
        q, k = qk_TSI[:, : self.K], qk_TSI[:, self.K :]
        if self.q_norm is not None and self.k_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        return rotation(q), rotation(k)[:, 0]
