"""The chunkwise form in torch, forward and backward: matrix products within chunks, a scan of states between them.

B sequences, T tokens, H heads, D head dim, N chunks side by side, C tokens a chunk. Formulas: README.md.

Chunks are taken PIECE_CHUNKS at a time, and the backward recomputes states from the one kept for each piece: beside
inputs and outputs that state is all that grows with T.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 64
"""Tokens; a shorter sequence is one chunk."""
PIECE_CHUNKS = 16


class ChunkedLightning(torch.autograd.Function):
    """(q, k, v [B,T,H,D], slopes [H], state [B,H,D,D], chunk tokens) -> (o in q's dtype, last state).

    Computes in the state's dtype. Differentiable in q, k, v and state, through both outputs.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, slopes: Tensor, state: Tensor, chunk: int) -> Any:
        o = torch.empty_like(q)
        starts = []
        for piece in _pieces(q.shape[1], chunk):
            starts.append(state)
            decays = Decays.of(slopes, piece.chunk, state.dtype)
            q_p, k_p, v_p = (piece.of(x, state.dtype) for x in (q, k, v))
            before, state = _states(k_p, v_p, decays, state)
            piece.put(o, outputs(q_p, k_p, v_p, before, decays))
        ctx.save_for_backward(q, k, v, slopes, *starts)
        ctx.chunk = chunk
        # a state that nothing was added to is the caller's own, which must not be returned as new
        return o, state if starts else state.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_o: Tensor, d_state: Tensor) -> Any:
        q, k, v, slopes, *starts = ctx.saved_tensors
        dtype = d_state.dtype
        d_q, d_k, d_v = (torch.empty_like(x) for x in (q, k, v))
        pieces = list(_pieces(q.shape[1], ctx.chunk))
        for piece, start in zip(reversed(pieces), reversed(starts), strict=True):
            decays = Decays.of(slopes, piece.chunk, dtype)
            q_p, k_p, v_p, d_o_p = (piece.of(x, dtype) for x in (q, k, v, d_o))
            before, _ = _states(k_p, v_p, decays, start)
            after, d_state = _state_gradients(q_p, d_o_p, decays, d_state)
            found = input_gradients(q_p, k_p, v_p, d_o_p, before, after, decays)
            for d_x, d_x_p in zip((d_q, d_k, d_v), found, strict=True):
                piece.put(d_x, d_x_p)
        return d_q, d_k, d_v, None, d_state, None


@dataclass(frozen=True, slots=True)
class _Piece:
    """`n` whole chunks of `chunk` tokens, from token `first`."""

    first: int
    n: int
    chunk: int

    def of(self, x_BTHD: Tensor, dtype: torch.dtype) -> Tensor:
        """[B,H,N,C,D], contiguous."""
        return self._view(x_BTHD).to(dtype, memory_format=torch.contiguous_format)

    def put(self, x_BTHD: Tensor, part_BHNCD: Tensor) -> None:
        """The inverse of `of`."""
        self._view(x_BTHD).copy_(part_BHNCD)

    def _view(self, x_BTHD: Tensor) -> Tensor:
        B, _, H, D = x_BTHD.shape
        x_BTHD = x_BTHD[:, self.first : self.first + self.n * self.chunk]
        return x_BTHD.view(B, self.n, self.chunk, H, D).permute(0, 3, 1, 2, 4)


def _pieces(n_tokens: int, chunk: int) -> Iterator[_Piece]:
    """All tokens: whole chunks, several at a time, then what is left as a chunk of its own."""
    whole, rest = divmod(n_tokens, chunk)
    for first in range(0, whole, PIECE_CHUNKS):
        yield _Piece(first * chunk, min(PIECE_CHUNKS, whole - first), chunk)
    if rest:
        yield _Piece(whole * chunk, 1, rest)


@dataclass(frozen=True, slots=True)
class Decays:
    """All exponents are <= 0: nothing overflows, and nothing is ever divided by a decay."""

    since_start: Tensor
    """[H,1,C,1]: exp(-s(i+1)), from the state before the chunk to token i."""
    until_end: Tensor
    """[H,1,C,1]: exp(-s(C-1-j)), from token j to the state after the chunk."""
    between: Tensor
    """[H,1,C,C]: exp(-s(i-j)) where i >= j, else 0."""

    @property
    def whole(self) -> Tensor:
        """[H,1,1]: exp(-sC), from the state before the chunk to the one after it."""
        return self.since_start[..., -1, :]

    @classmethod
    def of(cls, slopes_H: Tensor, chunk: int, dtype: torch.dtype) -> Decays:
        slopes_H11 = slopes_H.to(dtype)[:, None, None]
        i = torch.arange(chunk, dtype=dtype, device=slopes_H.device)
        apart = i[:, None] - i
        return cls(
            since_start=torch.exp(-slopes_H11 * (i[:, None] + 1))[:, None],
            until_end=torch.exp(-slopes_H11 * (chunk - 1 - i[:, None]))[:, None],
            between=torch.exp(-slopes_H11 * apart.clamp(min=0)).tril_()[:, None],
        )


def outputs(q: Tensor, k: Tensor, v: Tensor, before: Tensor, decays: Decays) -> Tensor:
    """Of chunks [...,C,D] that begin with the states `before` [...,D,D]."""
    inside = (q @ k.mT).mul_(decays.between) @ v
    return inside.add_((q * decays.since_start) @ before)


def input_gradients(
    q: Tensor, k: Tensor, v: Tensor, d_o: Tensor, before: Tensor, after: Tensor, decays: Decays
) -> tuple[Tensor, Tensor, Tensor]:
    """(d_q, d_k, d_v) of such chunks, from those of their outputs and, `after`, of the states in which they end."""
    d_scores = (d_o @ v.mT).mul_(decays.between)
    scores = (q @ k.mT).mul_(decays.between)
    return (
        (d_scores @ k).add_((d_o @ before.mT).mul_(decays.since_start)),
        (d_scores.mT @ q).add_((v @ after.mT).mul_(decays.until_end)),
        (scores.mT @ d_o).add_((k @ after).mul_(decays.until_end)),
    )


def _states(k: Tensor, v: Tensor, decays: Decays, state: Tensor) -> tuple[Tensor, Tensor]:
    """The state before each chunk [B,H,N,D,D], and the one after the last [B,H,D,D]."""
    states = (k * decays.until_end).mT @ v
    for n in range(states.shape[2]):
        added = states[:, :, n]
        following = torch.addcmul(added, state, decays.whole)
        added.copy_(state)
        state = following
    return states, state


def _state_gradients(q: Tensor, d_o: Tensor, decays: Decays, d_state: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of the state after each chunk [B,H,N,D,D], and of the one before the first [B,H,D,D]."""
    gradients = (q * decays.since_start).mT @ d_o
    for n in reversed(range(gradients.shape[2])):
        added = gradients[:, :, n]
        preceding = torch.addcmul(added, d_state, decays.whole)
        added.copy_(d_state)
        d_state = preceding
    return gradients, d_state
