"""Lightning attention by the Triton kernels: segments laid out, kernels launched, the backward made of the forward.

B sequences or N packed ones, T tokens, H heads, D head dim, M segments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kernels.lightning import triton_kernels
from kernels.paths import KernelInputError

HEAD_DIMS = (16, 32, 64, 128, 256)
CHUNK = 64
MAX_SEGMENT_CHUNKS = 32
ENOUGH_PROGRAMS = 1024
"""Segments double in length while this many programs are left: some eight for each processor of a Hopper GPU."""
_STATE_TILE = 64 * 128
"""Numbers of the state that a program keeps in registers; twice as many spill on sm_90."""


class TritonLightning(torch.autograd.Function):
    """(q, k, v [B,T,H,D], slopes [H], state [N,H,D,D] float32, cu_seqlens [N+1], chunk, segment chunks) -> (o, state).

    chunk and segment chunks are 0 for what suits the shape. Products of half-precision inputs accumulate in float32.
    """

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, slopes: Tensor, state: Tensor, cu_seqlens: Tensor, chunk: int, n: int
    ) -> Any:
        segments = Segments.cut(q, cu_seqlens, chunk or CHUNK, n)
        ctx.save_for_backward(q, k, v, slopes, state)
        ctx.segments = segments
        return attend(q, k, v, slopes, state, segments)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_o: Tensor, d_state: Tensor) -> Any:
        q, k, v, slopes, state = ctx.saved_tensors
        segments = ctx.segments
        d_q, _ = attend(d_o, v, k, slopes, state.mT, segments)
        # read backwards, the last state's gradient is decayed once less than an initial state is
        decay_H11 = torch.exp(-slopes)[:, None, None]
        d_last = d_state / decay_H11
        d_k, _ = attend(v, d_o, q, slopes, d_last.mT, segments, reverse=True)
        d_v, d_first = attend(k, q, d_o, slopes, d_last, segments, reverse=True)
        return d_q, d_k, d_v, None, d_first * decay_H11, None, None, None


@dataclass(frozen=True, slots=True)
class Segments:
    """How the packed token axis is cut: segments of `n_chunks` chunks that begin anew with each sequence.

    Made on the device without waiting for it: there are as many places for segments as there can be at most.
    """

    cu_seqlens: Tensor
    """[N+1] int32."""
    sequence_M: Tensor
    """The sequence of each segment, int32; N for places that stay empty."""
    offsets: Tensor
    """[N+1] int32: the first segment of each sequence."""
    chunk: int
    n_chunks: int

    @classmethod
    def cut(cls, q_BTHD: Tensor, cu_seqlens: Tensor, chunk: int, n_chunks: int = 0) -> Segments:
        B, T, H, _ = q_BTHD.shape
        n_chunks = n_chunks or _segment_chunks(B * T, H, chunk)
        tokens = chunk * n_chunks
        n_sequences = cu_seqlens.numel() - 1
        counts = torch.div(cu_seqlens.diff() + tokens - 1, tokens, rounding_mode="floor")
        offsets = torch.nn.functional.pad(counts.cumsum(0, dtype=torch.int32), (1, 0))
        places = torch.arange(B * T // tokens + n_sequences, dtype=torch.int32, device=q_BTHD.device)
        sequence_M = torch.searchsorted(offsets[1:], places, right=True, out_int32=True)
        return cls(cu_seqlens, sequence_M, offsets, chunk, n_chunks)


def _segment_chunks(n_tokens: int, n_heads: int, chunk: int) -> int:
    n = 4
    while n < MAX_SEGMENT_CHUNKS and n_tokens * n_heads >= 2 * n * chunk * ENOUGH_PROGRAMS:
        n *= 2
    return n


def attend(
    q: Tensor, k: Tensor, v: Tensor, slopes: Tensor, initial: Tensor, segments: Segments, *, reverse: bool = False
) -> tuple[Tensor, Tensor]:
    """o [B,T,H,D] in q's dtype and the last state [N,H,D,D] float32; initial may have any strides."""
    B, T, H, D = q.shape
    shared = dict(HEADS=H, DIM=D)
    block_v = min(D, _STATE_TILE // D)
    tokens: dict[str, Any] = dict(
        CHUNK=segments.chunk, BLOCK_V=block_v, REVERSE=reverse,
        # float32 in three tf32 products: as exact as float32 to a few ulp, and still on the tensor cores
        PRECISION="tf32x3" if q.dtype == torch.float32 else "tf32",
        num_warps=8 if D >= 128 else 4, num_stages=1 if D > 128 or q.dtype == torch.float32 else 2,
    )  # fmt: skip
    q, k, v = (_packed(x) for x in (q, k, v))
    M, N = segments.sequence_M.numel(), segments.cu_seqlens.numel() - 1
    o = q.new_empty(B, T, H, D)
    states = q.new_empty(M, H, D, D, dtype=torch.float32)
    final = q.new_empty(N, H, D, D, dtype=torch.float32)
    where = (segments.cu_seqlens, segments.sequence_M, segments.offsets)
    kv_strides = (*k.stride()[:2], *v.stride()[:2])
    grid = (M, H, D // block_v)
    block = min(1024, D * D)
    if M:
        triton_kernels.segment_states[grid](
            k, v, slopes, states, *where, *kv_strides, N, segments.n_chunks, **shared, **tokens
        )
    if N:
        triton_kernels.scan_states[(N, H, D * D // block)](
            states, initial, final, slopes, segments.cu_seqlens, segments.offsets,
            *initial.stride(), segments.chunk * segments.n_chunks, **shared, BLOCK=block,
        )  # fmt: skip
    if M:
        triton_kernels.segment_outputs[grid](
            q, k, v, o, slopes, states, *where, *q.stride()[:2], *kv_strides, N, segments.n_chunks, **shared, **tokens
        )
    return o, final


def step(q: Tensor, k: Tensor, v: Tensor, slopes: Tensor, state: Tensor, slots: Tensor | None) -> Tensor:
    """One token a sequence: o [N,H,D]; state [S,H,D,D] changes in place at `slots`."""
    N, H, D = q.shape
    q, k, v = (x if x.stride(-1) == 1 else x.contiguous() for x in (q, k, v))
    o = q.new_empty(N, H, D)
    block = min(D, 32)
    strides = (*q.stride()[:2], *k.stride()[:2], *v.stride()[:2], *state.stride()[:2])
    if N:
        triton_kernels.step[(N, H, D // block)](
            q, k, v, o, slopes, state, slots, *strides, HEADS=H, DIM=D, BLOCK_V=block, HAS_SLOTS=slots is not None
        )
    return o


def check_head_dim(head_dim: int) -> None:
    if head_dim not in HEAD_DIMS:
        allowed = ", ".join(map(str, HEAD_DIMS))
        raise KernelInputError(f"head dim {head_dim}: path 'triton' takes {allowed}; path='chunked' takes any")


def _packed(x_BTHD: Tensor) -> Tensor:
    """One token axis, dims side by side in memory; copied only where that needs it."""
    x_THD = x_BTHD.flatten(0, 1)
    return x_THD if x_THD.stride(-1) == 1 else x_THD.contiguous()
