"""Block indices turned round: for each kv head and block, the queries that visit it (compressed sparse rows).

The order is that of the queries, so whatever is summed along it comes out the same each time.

T queries, K kv heads, N blocks of all sequences.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from kernels.msa.packing import Packing


@dataclass(frozen=True, slots=True)
class Visits:
    entries: Tensor
    """int64: places in block_indices [T,K,top_k] counted flat, by kv head, then block, then query. Those that name no
    visible block come last."""
    pointers: Tensor
    """[K*N+1] int64: where the entries of each kv head and block begin."""
    n_heads: int
    top_k: int
    n_blocks: int
    block_bounds: list[int]
    """The number of each sequence's first block, and N last."""

    @classmethod
    def of(cls, block_indices: Tensor, packing: Packing, block_size: int, shared: Tensor | None = None) -> Visits:
        """shared: as Packing.shared_blocks, where visits of blocks that hold the same are to be one block's."""
        _, K, top_k = block_indices.shape
        bounds = packing.block_bounds(block_size)
        n_blocks, device = bounds[-1], block_indices.device
        local_T = packing.position_T // block_size
        seen = (block_indices >= 0) & (block_indices <= local_T[:, None, None])
        first_N = torch.tensor(bounds[:-1], dtype=torch.int32, device=device)
        head_K = torch.arange(K, dtype=torch.int32, device=device) * n_blocks
        row = block_indices + first_N[packing.sequence_T][:, None, None]
        if shared is not None:
            row = shared.to(row.dtype)[row.clamp(min=0)]
        row = row + head_K[:, None]
        rows, entries = row.where(seen, K * n_blocks).flatten().sort(stable=True)
        starts = torch.arange(K * n_blocks + 1, dtype=rows.dtype, device=device)
        return cls(entries, torch.searchsorted(rows, starts), K, top_k, n_blocks, bounds)

    def __call__(self, packing: Packing, block_size: int, at_most: int) -> Iterator[tuple[slice, slice, Tensor, int]]:
        """Each visited (kv heads, keys, queries int64, position of the first key), `at_most` queries at a time.

        Heads whose queries are the same visit together, as all do where a block is its queries' own.
        """
        query_E = self.entries // (self.top_k * self.n_heads)
        pointers = self.pointers.tolist()
        visited_N = (self.pointers.diff() > 0).view(self.n_heads, self.n_blocks).any(0).tolist()
        for sequence, (_, keys) in enumerate(packing):
            first, last = self.block_bounds[sequence : sequence + 2]
            for block in range(first, last):
                if not visited_N[block]:  # most are not, where paths of a tree share theirs
                    continue
                rows = [slice(*pointers[at : at + 2]) for at in range(block, len(pointers) - 1, self.n_blocks)]
                position = (block - first) * block_size
                at = slice(keys.start + position, min(keys.start + position + block_size, keys.stop))
                for heads, row in _alike(query_E, rows):
                    for start in range(row.start, row.stop, at_most):
                        yield heads, at, query_E[start : min(start + at_most, row.stop)], position


def _alike(query_E: Tensor, rows: list[slice]) -> Iterator[tuple[slice, slice]]:
    """The heads, all or one after another, and where the queries that visit a block with them are listed."""
    together = len({row.stop - row.start for row in rows}) == 1 and all(
        torch.equal(query_E[rows[0]], query_E[row]) for row in rows[1:]
    )
    if together:
        yield slice(0, len(rows)), rows[0]
    else:
        yield from ((slice(head, head + 1), row) for head, row in enumerate(rows))
