"""MiniMax sparse attention of a step: paged selection and decode for one-token chunks, packed for longer ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from kernels.msa import msa_attention, msa_decode, select_blocks_paged
from policy.config import MSAConfig
from policy.engine.decoding import Decoding
from policy.engine.scheduler import Chunk

# T tokens of the step, N requests, P pages, H query heads, K kv heads, D head dim, I index dim, k blocks a query


class MSAPlan:
    """Chunks of one token come first. A page is a block."""

    def __init__(self, chunks: Sequence[Chunk], page_tokens: int, device: torch.device) -> None:
        def tensor(values: Sequence[int] | Sequence[list[int]], dtype: torch.dtype = torch.int32) -> Tensor:
            return torch.tensor(values, dtype=dtype, device=device)

        self._decoding, self.page_tokens = Decoding(chunks, page_tokens, device), page_tokens
        longer = chunks[self._decoding.n :]
        self.n_chunks = len(longer)
        if longer:
            lengths = [chunk.start + chunk.n for chunk in longer]
            self._cu_seqlens_q = tensor([0, *accumulate(chunk.n for chunk in longer)])
            self._cu_seqlens_k = tensor([0, *accumulate(lengths)])
            runs = [run for chunk, n in zip(longer, lengths, strict=True) for run in chunk.request.table.slots(0, n)]
            self._keys = tensor([slot for first, n in runs for slot in range(first, first + n)], torch.int64)

    def __call__(
        self,
        q_THD: Tensor,
        index_q_TKI: Tensor,
        k_cache: Tensor,
        v_cache: Tensor,
        index_k_cache: Tensor,
        msa: MSAConfig,
    ) -> tuple[Tensor, Tensor]:
        """Caches [P * page_tokens, ...] hold the step's own keys -> o [T, H, D], block indices int32 [T, K, k]."""
        n, outputs, blocks = self._decoding.n, [], []
        if n:
            k, v, index_k = (x.view(-1, self.page_tokens, *x.shape[1:]) for x in (k_cache, v_cache, index_k_cache))
            tables, lengths_N = self._decoding.tables, self._decoding.lengths_N
            chosen = select_blocks_paged(index_q_TKI[:n], index_k, tables, lengths_N, top_k=msa.top_k)
            outputs.append(msa_decode(q_THD[:n], k, v, tables, lengths_N, chosen))
            blocks.append(chosen)
        if self.n_chunks:
            packed = msa_attention(
                q_THD[None, n:],
                k_cache[self._keys][None],
                v_cache[self._keys][None],
                index_q_TKI[None, n:],
                index_k_cache[self._keys][None],
                block_size=msa.block_size,
                top_k=msa.top_k,
                cu_seqlens_q=self._cu_seqlens_q,
                cu_seqlens_k=self._cu_seqlens_k,
            )
            outputs.append(packed.o[0])
            blocks.append(packed.block_indices[0])
        return torch.cat(outputs), torch.cat(blocks)
