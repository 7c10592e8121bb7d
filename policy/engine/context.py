"""A step's tokens, of many requests at once, with the caches behind them: the engine's Context.

All that depends on the step alone (where tokens lie, who attends to what) is worked out once, before the first layer;
a layer only runs tensors through it. There is one plan for each kind of mixer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from policy.config import MSAConfig
from policy.engine.cache import Cache
from policy.engine.native import Native
from policy.engine.paged import PagedPlan
from policy.engine.scheduler import Chunk
from policy.engine.softmax import SoftmaxPlan
from policy.model.rope import Rotation

if TYPE_CHECKING:
    from policy.engine.lightning import LightningPlan
    from policy.engine.msa import MSAPlan

# T tokens of the step, H query heads, K kv heads, D head dim


class PagedContext:
    """For one step. Chunks of one token come first; `native`: kernels for softmax attention, None: torch."""

    losses: dict[str, Tensor] | None = None

    def __init__(self, chunks: Sequence[Chunk], cache: Cache, native: Native | None) -> None:
        self.cache, self._native = cache, native
        positions: list[int] = []
        slots: list[int] = []
        for chunk in chunks:
            positions += range(chunk.start, chunk.start + chunk.n)
            for first, n in chunk.request.table.slots(chunk.start, chunk.start + chunk.n):
                slots += range(first, first + n)
        self.positions_T = torch.tensor(positions, device=cache.device)
        self.slots_T = torch.tensor(slots, device=cache.device)
        self._chunks = chunks

    def softmax(
        self, layer: int, q_THD: Tensor, k_TKD: Tensor, v_TKD: Tensor, rotation: Rotation, scale: float
    ) -> Tensor:
        k_cache, v_cache = self.cache.k[layer], self.cache.v[layer]
        if self._native is not None:
            return self._paged(q_THD, k_TKD, v_TKD, rotation, k_cache, v_cache, scale)
        q_THD, k_TKD = rotation(q_THD), rotation(k_TKD)
        k_cache.index_copy_(0, self.slots_T, k_TKD)
        v_cache.index_copy_(0, self.slots_T, v_TKD)
        return self._softmax(q_THD, k_TKD, v_TKD, k_cache, v_cache, scale)

    def lightning(self, layer: int, q_THD: Tensor, k_THD: Tensor, v_THD: Tensor, slopes_H: Tensor) -> Tensor:
        return self._lightning(q_THD, k_THD, v_THD, slopes_H, self.cache.states[layer])

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
        k, v, index_k = self.cache.k[layer], self.cache.v[layer], self.cache.index_k[layer]
        k.index_copy_(0, self.slots_T, k_TKD)
        v.index_copy_(0, self.slots_T, v_TKD)
        index_k.index_copy_(0, self.slots_T, index_k_TD)
        o_THD, blocks_TKk = self._msa(q_THD, index_q_TKD, k, v, index_k, msa)
        if layer in self.cache.blocks:
            self.cache.blocks[layer].index_copy_(0, self.slots_T, blocks_TKk)
        return o_THD

    def record_experts(self, layer: int, ids_Tk: Tensor) -> None:
        if layer in self.cache.experts:
            self.cache.experts[layer].index_copy_(0, self.slots_T, ids_Tk.to(torch.int32))

    def replay_experts(self, layer: int) -> Tensor | None:
        return None

    @cached_property
    def _paged(self) -> PagedPlan:
        assert self._native is not None
        return PagedPlan(self._chunks, self.cache.page_tokens, self._native)

    @cached_property
    def _softmax(self) -> SoftmaxPlan:
        return SoftmaxPlan(self._chunks, self.cache.device)

    @cached_property
    def _lightning(self) -> LightningPlan:
        # these two bring kernels in, which a plain decoder does without
        from policy.engine.lightning import LightningPlan

        return LightningPlan(self._chunks, self.cache.device)

    @cached_property
    def _msa(self) -> MSAPlan:
        from policy.engine.msa import MSAPlan

        return MSAPlan(self._chunks, self.cache.page_tokens, self.cache.device)
