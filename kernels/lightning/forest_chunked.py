"""The chunkwise form over a forest: the chunks of all segments side by side, states going from chunk to chunk.

Formulas: README.md. A chunk that is shorter than those beside it is filled up with keys and values of zero, which add
nothing to a state. Only the scan of states knows the order of chunks.

T tokens, H heads, D head dim, N chunks of the forest, n of them side by side in rows of C.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kernels.lightning.chunked import Decays, input_gradients, outputs
from kernels.lightning.chunks import Chunks, Part


class ForestLightning(torch.autograd.Function):
    """(q, k, v [T,H,D], slopes [H], chunks) -> o [T,H,D] in q's dtype; states and sums are float32, or float64.

    Differentiable in q, k and v.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, slopes: Tensor, chunks: Chunks) -> Tensor:
        slopes = slopes.to(torch.promote_types(q.dtype, torch.float32))
        parts = [_Rows.of(part, slopes, (q, k, v)) for part in chunks.parts]
        before = _states(parts, slopes, chunks)
        o = torch.empty_like(q, memory_format=torch.contiguous_format)
        for rows in parts:
            q_p, k_p, v_p = rows.tensors
            rows.put(o, outputs(q_p, k_p, v_p, before.index_select(0, rows.part.numbers), rows.decays))
        ctx.save_for_backward(q, k, v, slopes)
        ctx.chunks = chunks
        return o

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_o: Tensor) -> Any:
        q, k, v, slopes = ctx.saved_tensors
        chunks: Chunks = ctx.chunks
        parts = [_Rows.of(part, slopes, (q, k, v, d_o)) for part in chunks.parts]
        before, after = _states(parts, slopes, chunks), _state_gradients(parts, slopes, chunks)
        d_q, d_k, d_v = (torch.empty_like(x, memory_format=torch.contiguous_format) for x in (q, k, v))
        for rows in parts:
            q_p, k_p, v_p, d_o_p = rows.tensors
            before_p, after_p = (x.index_select(0, rows.part.numbers) for x in (before, after))
            found = input_gradients(q_p, k_p, v_p, d_o_p, before_p, after_p, rows.decays)
            for d_x, d_x_p in zip((d_q, d_k, d_v), found, strict=True):
                rows.put(d_x, d_x_p)
        return d_q, d_k, d_v, None, None


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is in the rows of a part."""

    part: Part
    tensors: tuple[Tensor, ...]
    """Each [n,H,C,D], zero where a chunk is filled up."""
    decays: Decays
    """Of chunks of C tokens; but up to the end of each chunk, [n,H,C,1], at its own length."""

    @classmethod
    def of(cls, part: Part, slopes_H: Tensor, tensors_THD: Sequence[Tensor]) -> _Rows:
        """In the dtype of slopes."""
        i = torch.arange(part.chunk, dtype=slopes_H.dtype, device=slopes_H.device)
        left_n1C1 = (part.lengths[:, None] - 1 - i).clamp_(min=0)[:, None, :, None]
        decays = Decays.of(slopes_H, part.chunk, slopes_H.dtype)
        decays = Decays(decays.since_start[:, 0], torch.exp(-slopes_H[:, None, None] * left_n1C1), decays.between[:, 0])
        return cls(part, tuple(_side_by_side(x, part, slopes_H.dtype) for x in tensors_THD), decays)

    def put(self, x_THD: Tensor, rows_nHCD: Tensor) -> None:
        """Where its tokens lie."""
        rows = rows_nHCD.transpose(1, 2).flatten(0, 1)
        x_THD.index_copy_(0, self.part.tokens, rows.index_select(0, self.part.taken).to(x_THD.dtype))


def _states(parts: Sequence[_Rows], slopes: Tensor, chunks: Chunks) -> Tensor:
    """The state before each chunk, [N,H,D,D]."""
    N, (_, H, _, D) = len(chunks.before), parts[0].tensors[0].shape
    ends = slopes.new_empty(N + 1, H, D, D)
    for rows in parts:
        _, k_p, v_p, *_ = rows.tensors
        ends[rows.part.numbers] = (k_p * rows.decays.until_end).mT @ v_p
    ends[N] = 0.0
    states, whole = ends.unbind(), _whole(slopes, chunks).unbind()
    for n, before in enumerate(chunks.before):
        if before < N:
            states[n].addcmul_(states[before], whole[n])
    return ends.index_select(0, chunks.before_N)


def _state_gradients(parts: Sequence[_Rows], slopes: Tensor, chunks: Chunks) -> Tensor:
    """The gradient of the state after each chunk, [N,H,D,D]."""
    N, (_, H, _, D) = len(chunks.before), parts[0].tensors[0].shape
    starts = slopes.new_empty(N, H, D, D)
    for rows in parts:
        q_p, _, _, d_o_p = rows.tensors
        starts[rows.part.numbers] = (q_p * rows.decays.since_start).mT @ d_o_p
    ends = torch.zeros_like(starts)
    gradients, whole = ends.unbind(), _whole(slopes, chunks).unbind()
    for n, start in reversed(list(enumerate(starts.unbind()))):
        before = chunks.before[n]
        if before < N:
            gradients[before].add_(start.addcmul_(gradients[n], whole[n]))
    return ends


def _whole(slopes: Tensor, chunks: Chunks) -> Tensor:
    """[N,H,1,1]: exp(-s length), from the state before a chunk to the one after it."""
    return torch.exp(-slopes * chunks.lengths_N[:, None])[..., None, None]


def _side_by_side(x_THD: Tensor, part: Part, dtype: torch.dtype) -> Tensor:
    """[n,H,C,D], zero where a chunk is filled up; a copy."""
    H, D = x_THD.shape[1:]
    rows = x_THD.index_select(0, part.rows).to(dtype).index_fill_(0, part.filled, 0.0)
    return rows.view(-1, part.chunk, H, D).transpose(1, 2).contiguous()
