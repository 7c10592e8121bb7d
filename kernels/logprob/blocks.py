"""What both fast paths share: the logits come and go in blocks of tokens by vocabulary, forward and again backward.

T tokens, E embedding, V vocabulary; t and v are those of one block. Formulas: README.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kernels.logprob.naive import IGNORED


@dataclass(frozen=True, slots=True)
class Statistics:
    """What is kept of a row of logits; each [T], float32 (float64 for float64 inputs)."""

    chosen: Tensor
    """The target's logit."""
    lse: Tensor
    """Logarithm of the sum of exponentials of all logits."""
    entropy: Tensor


class Blocks(Protocol):
    """How blocks are computed: by torch, or by Triton."""

    @property
    def n_tokens(self) -> int:
        """Tokens of a block."""
        ...

    @property
    def n_vocab(self) -> int:
        """Vocabulary of a block."""
        ...

    def statistics(self, hidden_TE: Tensor, weight_VE: Tensor, targets_T: Tensor, temperature: float) -> Statistics: ...

    def logit_gradients(
        self, hidden_tE: Tensor, weight_vE: Tensor, targets_t: Tensor, row: Row, temperature: float
    ) -> Tensor:
        """[t,v]: the loss's gradient in the block's products hidden weight^T. Targets count from the block's first."""
        ...

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        """a b, summed and returned in float32 at least."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """What the gradient of a row of logits needs; each [T] or [t]."""

    lse: Tensor
    mean: Tensor
    """The expected logit, lse - entropy."""
    d_logprob: Tensor
    d_entropy: Tensor

    def __getitem__(self, tokens: slice) -> Row:
        return Row(self.lse[tokens], self.mean[tokens], self.d_logprob[tokens], self.d_entropy[tokens])


class BlockedLogprobs(torch.autograd.Function):
    """(hidden [T,E], weight [V,E], targets [T], temperature, blocks) -> (logprobs [T], entropy [T])."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, temperature: float, blocks: Blocks) -> Any:
        stats = blocks.statistics(hidden, weight, targets, temperature)
        ctx.save_for_backward(hidden, weight, targets, stats.lse, stats.entropy)
        ctx.temperature, ctx.blocks = temperature, blocks
        ignored = targets == IGNORED
        return (stats.chosen - stats.lse).masked_fill_(ignored, 0), stats.entropy.masked_fill(ignored, 0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_logprob: Tensor, d_entropy: Tensor) -> Any:
        hidden, weight, targets, lse, entropy = ctx.saved_tensors
        blocks: Blocks = ctx.blocks
        ignored = targets == IGNORED
        row = Row(lse, lse - entropy, d_logprob.masked_fill(ignored, 0), d_entropy.masked_fill(ignored, 0))
        wants_hidden, wants_weight = ctx.needs_input_grad[:2]
        d_hidden = torch.zeros_like(hidden, dtype=lse.dtype) if wants_hidden else None
        d_weight = torch.empty_like(weight) if wants_weight else None
        for vocab in slices(len(weight), blocks.n_vocab):
            d_rows = torch.zeros_like(weight[vocab], dtype=lse.dtype) if wants_weight else None
            for tokens in slices(len(hidden), blocks.n_tokens):
                d_logits = blocks.logit_gradients(
                    hidden[tokens], weight[vocab], targets[tokens] - vocab.start, row[tokens], ctx.temperature
                )
                if d_hidden is not None:
                    d_hidden[tokens] += blocks.product(d_logits, weight[vocab])
                if d_rows is not None:
                    d_rows += blocks.product(d_logits.T, hidden[tokens])
            if d_weight is not None and d_rows is not None:
                d_weight[vocab] = d_rows
        return None if d_hidden is None else d_hidden.to(hidden.dtype), d_weight, None, None, None


def slices(total: int, size: int) -> list[slice]:
    return [slice(first, min(first + size, total)) for first in range(0, total, size)]
