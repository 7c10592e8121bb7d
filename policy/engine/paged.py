"""Softmax attention of a step by our own kernel, which finds keys and values page by page.

A token's result depends on its sequence alone, to the bit: whether it was decoded or prefilled, and in what chunk.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from policy.engine.native import Native
from policy.engine.scheduler import Chunk
from policy.model.rope import Rotation

# T tokens of the step, N requests, H query heads, K kv heads, D head dim


class PagedPlan:
    def __init__(self, chunks: Sequence[Chunk], page_tokens: int, native: Native) -> None:
        self._native, self._page_tokens = native, page_tokens
        n_pages = [-(-(chunk.start + chunk.n) // page_tokens) for chunk in chunks]
        padded = [
            (chunk.request.table.pages[:n] + [0] * max(n_pages))[: max(n_pages)]
            for chunk, n in zip(chunks, n_pages, strict=True)
        ]
        of_chunks = [(number, chunk.start + i + 1) for number, chunk in enumerate(chunks) for i in range(chunk.n)]
        self._tables = torch.tensor(padded, dtype=torch.int32)
        self._requests_T, self._lengths_T = torch.tensor(of_chunks, dtype=torch.int32).unbind(1)
        self._requests_T, self._lengths_T = self._requests_T.contiguous(), self._lengths_T.contiguous()

    def __call__(
        self,
        q_THD: Tensor,
        k_TKD: Tensor,
        v_TKD: Tensor,
        rotation: Rotation,
        k_cache: Tensor,
        v_cache: Tensor,
        scale: float,
    ) -> Tensor:
        """Turns queries and keys, writes keys and values into the caches [slots, K, D], attends -> [T, H, D]."""
        return self._native.attend(
            q_THD, k_TKD, v_TKD, rotation, k_cache, v_cache,
            self._tables, self._requests_T, self._lengths_T, self._page_tokens, scale,
        )  # fmt: skip
