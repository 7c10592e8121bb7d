"""Blocks of logits by Triton: the statistics without a logit in memory, the gradients as blocks for matrix products.

T tokens, E embedding, V vocabulary; t and v are those of one block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kernels.logprob import triton_kernels
from kernels.logprob.blocks import Row, Statistics
from kernels.logprob.chunked import merged

_BLOCK_T = 64
_BLOCK_V = 128
_ENOUGH_PROGRAMS = 264
"""Two for each processor of a Hopper GPU: below that the vocabulary is split."""


@dataclass(frozen=True, slots=True)
class TritonBlocks:
    n_tokens: int = 8192
    n_vocab: int = 8192

    def statistics(self, hidden_TE: Tensor, weight_VE: Tensor, targets_T: Tensor, temperature: float) -> Statistics:
        T, V = len(hidden_TE), len(weight_VE)
        token_blocks, vocab_blocks = -(-T // _BLOCK_T), -(-V // _BLOCK_V)
        split_blocks = max(1, vocab_blocks // max(1, _ENOUGH_PROGRAMS // max(1, token_blocks)))
        splits = -(-vocab_blocks // split_blocks)
        outputs = hidden_TE.new_empty(4, splits, T, dtype=torch.float32)
        if T:
            triton_kernels.statistics[(token_blocks, splits)](
                hidden_TE, weight_VE, targets_T, *outputs, *_sizes(hidden_TE, weight_VE), 1 / temperature, split_blocks,
                **_blocks(hidden_TE),
            )  # fmt: skip
        tops, totals, moments, chosens = outputs
        top = tops.amax(0)
        falls = tops - top
        scales = falls.exp()
        total, moment = (scales * totals).sum(0), (scales * (moments + falls * totals)).sum(0)
        return merged(top, total, moment, chosens.sum(0))

    def logit_gradients(
        self, hidden_tE: Tensor, weight_vE: Tensor, targets_t: Tensor, row: Row, temperature: float
    ) -> Tensor:
        """In the inputs' dtype, for the tensor cores."""
        t, v = len(hidden_tE), len(weight_vE)
        out_tv = hidden_tE.new_empty(t, v)
        rows = (x.contiguous() for x in (row.lse, row.mean, row.d_logprob, row.d_entropy))
        triton_kernels.logit_gradients[(-(-t // _BLOCK_T), -(-v // _BLOCK_V))](
            hidden_tE, weight_vE, targets_t, *rows, out_tv, *_sizes(hidden_tE, weight_vE), 1 / temperature,
            **_blocks(hidden_tE),
        )  # fmt: skip
        return out_tv

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        if a.dtype == torch.float32 or not a.is_cuda:
            return a.float() @ b.float()
        return torch.mm(a, b, out_dtype=torch.float32)


def _sizes(hidden: Tensor, weight: Tensor) -> tuple[int, ...]:
    return hidden.stride(0), weight.stride(0), len(hidden), len(weight), hidden.shape[1]


def _blocks(hidden: Tensor) -> dict[str, Any]:
    wide = hidden.dtype == torch.float32
    return dict(
        BLOCK_T=_BLOCK_T, BLOCK_V=_BLOCK_V, BLOCK_E=32 if wide else 64,
        PRECISION="tf32x3" if wide else "tf32", num_warps=8, num_stages=2 if wide else 3,
    )  # fmt: skip
