"""Softmax attention of a step by our own kernel: pages for those who decode, `SoftmaxPlan` for longer chunks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from policy.engine.decoding import Decoding
from policy.engine.native import Native
from policy.engine.scheduler import Chunk
from policy.engine.softmax import SoftmaxPlan

# T tokens of the step, N requests that decode, H query heads, K kv heads, D head dim


class PagedPlan:
    """Chunks of one token come first."""

    def __init__(self, chunks: Sequence[Chunk], page_tokens: int, native: Native) -> None:
        cpu = torch.device("cpu")
        self._native, self.page_tokens = native, page_tokens
        self._decoding = Decoding(chunks, page_tokens, cpu)
        longer = chunks[self._decoding.n :]
        self._longer = SoftmaxPlan(longer, cpu) if longer else None

    def __call__(
        self, q_THD: Tensor, k_TKD: Tensor, v_TKD: Tensor, k_cache: Tensor, v_cache: Tensor, scale: float
    ) -> Tensor:
        """As SoftmaxPlan's."""
        n, step, outputs = self._decoding.n, self._decoding, []
        if n:
            outputs.append(
                self._native.attend(q_THD[:n], k_cache, v_cache, step.tables, step.lengths_N, self.page_tokens, scale)
            )
        if self._longer is not None:
            outputs.append(self._longer(q_THD[n:], k_TKD[n:], v_TKD[n:], k_cache, v_cache, scale))
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs)
