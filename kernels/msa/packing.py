"""Packed sequences: where each one's queries and keys lie on the two token axes, and what each query may see.

The queries of a sequence are the last of its keys' positions: all of them, or the new tokens behind a prefix.

B batch, T tokens (of all sequences), N sequences.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from kernels.paths import KernelInputError


@dataclass(frozen=True, slots=True)
class Packing:
    """N sequences behind one another. A position counts a sequence's keys from 0; so do its blocks."""

    q_bounds: list[int]
    """Where each sequence's queries begin, and T last."""
    k_bounds: list[int]
    """The same of its keys."""
    first_key_N: Tensor
    """Where each sequence's keys begin, int32, on the device of the tokens."""
    sequence_T: Tensor
    """The sequence of each query, int32."""
    position_T: Tensor
    """The position of each query, int32: it sees the keys at positions up to this one."""
    shared_blocks: Tensor | None = None
    """For each block of all sequences, int64, the earliest block that holds the same keys and values."""

    @classmethod
    def of(
        cls,
        q: Tensor,
        k: Tensor,
        cu_seqlens_q: Tensor | None,
        cu_seqlens_k: Tensor | None,
        shared_blocks: Tensor | None = None,
    ) -> Packing:
        """Of q [B,Tq,...] and k [B,Tk,...]. Reads cu_seqlens on the host: on a GPU this waits for them."""
        B, Tq, Tk = q.shape[0], q.shape[1], k.shape[1]
        if B == 0:
            raise KernelInputError("q has no sequences: B must be at least 1")
        if k.shape[0] != B:
            raise KernelInputError(f"q has {B} batch rows and k has {k.shape[0]}: they must be equal")
        if (cu_seqlens_q is None) != (cu_seqlens_k is None):
            raise KernelInputError("cu_seqlens_q and cu_seqlens_k go together: pass both or neither")
        if cu_seqlens_q is None or cu_seqlens_k is None:
            q_bounds, k_bounds = [Tq * n for n in range(B + 1)], [Tk * n for n in range(B + 1)]
        else:
            q_bounds = _bounds("cu_seqlens_q", cu_seqlens_q, B, Tq)
            k_bounds = _bounds("cu_seqlens_k", cu_seqlens_k, B, Tk)
            if len(q_bounds) != len(k_bounds):
                raise KernelInputError(
                    f"cu_seqlens_q tells of {len(q_bounds) - 1} sequences, cu_seqlens_k of {len(k_bounds) - 1}"
                )
        for n, (queries, keys) in enumerate(zip(lengths(q_bounds), lengths(k_bounds), strict=True)):
            if queries > keys:
                raise KernelInputError(
                    f"sequence {n} has {queries} queries and {keys} keys: queries are its keys' last positions"
                )
        device = q.device
        counts = torch.tensor(lengths(q_bounds), device=device)
        sequence_T = torch.repeat_interleave(counts, output_size=q_bounds[-1])
        ahead_N = torch.tensor(
            [last_k - last_q for last_q, last_k in zip(q_bounds[1:], lengths(k_bounds), strict=True)], device=device
        )
        position_T = torch.arange(q_bounds[-1], device=device) + ahead_N[sequence_T]
        first_key_N = torch.tensor(k_bounds[:-1], dtype=torch.int32, device=device)
        return cls(q_bounds, k_bounds, first_key_N, sequence_T.int(), position_T.int(), shared_blocks)

    @property
    def n_sequences(self) -> int:
        return len(self.k_bounds) - 1

    @property
    def longest(self) -> int:
        """Keys of the longest sequence."""
        return max(lengths(self.k_bounds), default=0)

    def block_bounds(self, block_size: int) -> list[int]:
        """The number of each sequence's first block when the blocks of all are counted, and that of all blocks last."""
        return [0, *accumulate(-(-length // block_size) for length in lengths(self.k_bounds))]

    def part(self, first: int, last: int) -> Packing:
        """The same keys with the queries first:last only, counted from `first`."""
        bounds = [min(max(bound, first), last) - first for bound in self.q_bounds]
        return Packing(
            bounds, self.k_bounds, self.first_key_N, self.sequence_T[first:last], self.position_T[first:last]
        )

    def __iter__(self) -> Iterator[tuple[slice, slice]]:
        """The queries and the keys of each sequence."""
        for queries, keys in zip(pairwise(self.q_bounds), pairwise(self.k_bounds), strict=True):
            yield slice(*queries), slice(*keys)


def lengths(bounds: list[int]) -> list[int]:
    return [last - first for first, last in pairwise(bounds)]


def _bounds(name: str, cu_seqlens: Tensor, B: int, T: int) -> list[int]:
    if B != 1:
        raise KernelInputError(f"{name} packs sequences along T and wants B = 1, got B = {B}")
    if cu_seqlens.dim() != 1 or cu_seqlens.numel() < 2 or cu_seqlens.dtype not in (torch.int32, torch.int64):
        found = f"{cu_seqlens.dtype} {list(cu_seqlens.shape)}"
        raise KernelInputError(f"{name} must be int32 or int64 [N+1] with N >= 1, got {found}")
    bounds: list[int] = cu_seqlens.tolist()
    if bounds[0] != 0 or bounds[-1] != T or min(lengths(bounds)) < 0:
        raise KernelInputError(f"{name} must rise from 0 to T = {T}, got {bounds}")
    return bounds
