"""What a layer asks of its surroundings. Prefill, decode, training, tree masks and replay are all a Context.

The decoder sees one flat axis of T tokens and never a cache, a batch or a mask: it hands each mixer's projections to
the context, by layer number, and gets the mixed values back.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from policy.config import MSAConfig
from policy.model.rope import Rotation

# T tokens, H query heads, K kv heads, D head dim, E embedding, X experts


class Context(Protocol):
    positions_T: Tensor
    """int64 [T]: each token's place in its own sequence, for RoPE."""
    losses: dict[str, Tensor] | None
    """Where layers put auxiliary losses, coefficients applied, by name ("router/3", "index/5"); None: none wanted."""

    def softmax(
        self, layer: int, q_THD: Tensor, k_TKD: Tensor, v_TKD: Tensor, rotation: Rotation, scale: float
    ) -> Tensor:
        """Causal grouped-query attention of queries and keys that are yet to be turned -> [T, H, D]."""
        ...

    def lightning(self, layer: int, q_THD: Tensor, k_THD: Tensor, v_THD: Tensor, slopes_H: Tensor) -> Tensor:
        """Linear attention with decay -> [T, H, D]."""
        ...

    def msa(
        self,
        layer: int,
        q_THD: Tensor,
        k_TKD: Tensor,
        v_TKD: Tensor,
        index_q_TKD: Tensor,
        index_k_TD: Tensor,
        msa: MSAConfig,
    ) -> Tensor:
        """Block-sparse attention, scale D^-0.5 -> [T, H, D]."""
        ...

    def record_experts(self, layer: int, ids_Tk: Tensor) -> None:
        """Told which experts each token went to: int64 [T, top_k]."""
        ...

    def replay_experts(self, layer: int) -> Tensor | None:
        """Experts to use instead of choosing, [T, top_k]; None: choose."""
        ...
