"""MSA by the Triton kernels: buffers bounded, programs laid out, kernels launched. The functions are chunked.py's.

T tokens, H query heads, K kv heads, G = H / K heads a group, D head dim, Di index head dim, N sequences, P pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kernels.msa import triton_blocks, triton_queries, triton_select
from kernels.msa.packing import Packing, lengths
from kernels.msa.visits import Visits
from kernels.paths import KernelInputError

HEAD_DIMS = (16, 32, 64, 128, 256)
BLOCK_SIZES = (16, 32, 64, 128, 256)
KV_OUTER_FROM = 16384
"""Queries from which the forward pass goes block by block: then enough of them share a block."""
SCORE_BYTES = 2**30
"""Block scores that are in memory at a time."""
PARTS_BYTES = 2**31
"""Outputs of single slots that are in memory at a time when the forward pass goes block by block."""
ENOUGH_PROGRAMS = 528
"""Four for each processor of a Hopper GPU: with fewer, the keys of one query are split among programs."""
VISITS_AN_ITEM = 512
VISITS_A_GRADIENT = 2048
"""More than in the forward pass: every item has a float32 gradient of its block."""


def select(
    index_q: Tensor, index_k: Tensor, packing: Packing, block_size: int, top_k: int, with_lse: bool
) -> tuple[Tensor, Tensor | None]:
    """As naive.select."""
    T, K, Di = index_q.shape
    check(block_size, index_head_dim=Di)
    n_blocks = -(-packing.longest // block_size)
    chosen = index_q.new_empty(T, K, top_k, dtype=torch.int32)
    lse = index_q.new_empty(T, K, dtype=torch.float32) if with_lse else None
    index_k = _side_by_side(index_k)
    at_most = max(SCORE_BYTES // max(4 * K * n_blocks * (1 + with_lse), 1), 1)
    for first in range(0, T, at_most):
        part = slice(first, min(first + at_most, T))
        _select(
            index_q[part], index_k, (0, index_k.stride(0)), packing.part(part.start, part.stop), None, block_size,
            n_blocks, max(_rows(index_q) // _padded(K), 1), chosen[part], None if lse is None else lse[part],
        )  # fmt: skip
    return chosen, lse


def select_paged(index_q: Tensor, index_k_pages: Tensor, block_tables: Tensor, seq_lens: Tensor, top_k: int) -> Tensor:
    """As chunked.select_paged."""
    N, K, Di = index_q.shape
    page, n_blocks = index_k_pages.shape[1], block_tables.shape[1]
    check(page, index_head_dim=Di)
    pages = _side_by_side(index_k_pages)
    chosen = index_q.new_empty(N, K, top_k, dtype=torch.int32)
    last = _last_positions(seq_lens)
    _select(index_q, pages, pages.stride()[:2], last, block_tables, page, n_blocks, 1, chosen, None)
    return chosen


def _select(
    index_q: Tensor, index_k: Tensor, k_strides: tuple[int, ...], packing: Packing, tables: Tensor | None,
    block_size: int, n_blocks: int, queries: int, chosen: Tensor, lse: Tensor | None,
) -> None:  # fmt: skip
    T, K, Di = index_q.shape
    if T == 0:
        return
    index_q = _side_by_side(index_q)
    block_max = index_q.new_empty(T, K, max(n_blocks, 1), dtype=torch.float32)
    block_sum = None if lse is None else torch.empty_like(block_max)
    n_tiles = -(-T // queries)
    n_splits = min(max(ENOUGH_PROGRAMS // n_tiles, 1), max(n_blocks, 1))
    scale = Di**-0.5
    if n_blocks:
        triton_select.score_blocks[(n_tiles, n_splits)](
            index_q, index_k, block_max, block_sum, packing.sequence_T, packing.position_T, packing.first_key_N,
            tables, *index_q.stride()[:2], *k_strides, 0 if tables is None else tables.stride(0), T, n_blocks,
            -(-n_blocks // n_splits), scale, HEADS=K, HEADS_PADDED=_padded(K), QUERIES=queries,
            ROWS=max(queries * _padded(K), 16), DIM=Di, BLOCK=block_size, TILE=_tile(index_q, block_size),
            PAGED=tables is not None, WITH_SUM=lse is not None, PRECISION=_precision(index_q),
        )  # fmt: skip
    top_k = chosen.shape[-1]
    top = max(_padded(top_k), 2)
    # few widths: each is compiled anew, and sorting networks take long
    width = max(64 if n_blocks <= 64 else 1024, top)
    rows = max(1024 // width, 1)
    triton_select.top_blocks[(-(-T * K // rows),)](
        block_max, block_sum, packing.position_T, chosen, lse, T * K, max(n_blocks, 1), top_k, scale,
        HEADS=K, BLOCK=block_size, ROWS=rows, WIDTH=width, TOP=top, WITH_LSE=lse is not None,
    )  # fmt: skip


def forward(
    q: Tensor, k: Tensor, v: Tensor, block_indices: Tensor, packing: Packing, block_size: int, scale: float
) -> tuple[Tensor, Tensor]:
    """As chunked.forward: query by query, or block by block from KV_OUTER_FROM queries on."""
    check(block_size, q.shape[-1])
    q, k, v = (_side_by_side(x) for x in (q, k, v))
    block_indices = block_indices.contiguous()
    if len(q) >= KV_OUTER_FROM:
        return _forward_by_block(q, k, v, block_indices, packing, block_size, scale)
    return _forward_by_query(
        q, k, v, (0, *k.stride()[:2], 0, *v.stride()[:2]), block_indices, packing, None, block_size, scale
    )


def _forward_by_query(
    q: Tensor, k: Tensor, v: Tensor, kv_strides: tuple[int, ...], block_indices: Tensor, packing: Packing,
    tables: Tensor | None, block_size: int, scale: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    T, H, D = q.shape
    _, K, top_k = block_indices.shape
    if T == 0 or top_k == 0:
        return q.new_zeros(T, H, D), q.new_full((T, H), -torch.inf, dtype=torch.float32)
    slots = -(-top_k // min(max(ENOUGH_PROGRAMS // (T * K), 1), top_k))
    n_splits = -(-top_k // slots)
    parts = q.new_empty(T, n_splits, H, D, dtype=q.dtype if n_splits == 1 else torch.float32)
    part_lse = q.new_empty(T, n_splits, H, dtype=torch.float32)
    triton_queries.attend_queries[(T, K, n_splits)](
        q, k, v, parts, part_lse, block_indices, packing.sequence_T, packing.position_T, packing.first_key_N, tables,
        *q.stride()[:2], *kv_strides, 0 if tables is None else tables.stride(0), top_k, slots, scale,
        **_group(q, K), BLOCK=block_size, TILE=_tile(q, block_size, 16), PAGED=tables is not None,
    )  # fmt: skip
    return (parts[:, 0], part_lse[:, 0]) if n_splits == 1 else _combine(parts, part_lse, q.dtype)


def _forward_by_block(
    q: Tensor, k: Tensor, v: Tensor, block_indices: Tensor, packing: Packing, block_size: int, scale: float
) -> tuple[Tensor, Tensor]:
    T, H, D = q.shape
    K, top_k = block_indices.shape[1:]
    o, lse = torch.empty_like(q, memory_format=torch.contiguous_format), q.new_empty(T, H, dtype=torch.float32)
    tile = _tile(q, block_size)
    n_parts = top_k * (block_size // tile)
    at_most = max(PARTS_BYTES // max(n_parts * H * D * q.element_size(), 1), 1)
    for first in range(0, T, at_most):
        some = slice(first, min(first + at_most, T))
        queries, n = packing.part(some.start, some.stop), some.stop - some.start
        items = _Items.of(block_indices[some], queries, block_size, VISITS_AN_ITEM)
        parts = q.new_empty(n, n_parts, H, D)
        # slots without a visit stay so, and `combine` does not read their parts
        part_lse = q.new_full((n, n_parts, H), -torch.inf, dtype=torch.float32)
        if items.count:
            triton_blocks.attend_blocks[(items.count, block_size // tile)](
                q[some], k, v, parts, part_lse, *items.where(), queries.first_key_N,
                *q.stride()[:2], *k.stride()[:2], *v.stride()[:2], items.visits.n_blocks, top_k, VISITS_AN_ITEM, scale,
                **_group(q, K, rows=_rows(q)), GROUP_PADDED=_padded(H // K), BLOCK=block_size, TILE=tile,
            )  # fmt: skip
        o[some], lse[some] = _combine(parts, part_lse, q.dtype)
    return o, lse


def _combine(parts: Tensor, part_lse: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    T, n_parts, H, D = parts.shape
    o, lse = parts.new_empty(T, H, D, dtype=dtype), part_lse.new_empty(T, H)
    heads = min(_padded(H), 16)
    if T:
        triton_queries.combine[(T, -(-H // heads))](
            parts, part_lse, o, lse, n_parts, HEADS=H, HEADS_PADDED=heads, DIM=D
        )
    return o, lse


def backward(
    d_o: Tensor, q: Tensor, k: Tensor, v: Tensor, o: Tensor, lse: Tensor, block_indices: Tensor,
    packing: Packing, block_size: int, scale: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """As chunked.backward: d_q query by query, d_k and d_v block by block."""
    T, H, D = q.shape
    K, top_k = block_indices.shape[1:]
    d_o, q, k, v, o = (_side_by_side(x) for x in (d_o, q, k, v, o))
    block_indices, lse = block_indices.contiguous(), lse.contiguous()
    d_q, d_k, d_v = (x.new_empty(x.shape) for x in (q, k, v))
    delta = torch.empty_like(lse)
    heads = min(_padded(H), 16)
    if T:
        triton_queries.row_dots[(T, -(-H // heads))](
            o, d_o, delta, *o.stride()[:2], *d_o.stride()[:2], HEADS=H, HEADS_PADDED=heads, DIM=D
        )
        triton_queries.query_gradients[(T, K)](
            d_o, q, k, v, lse, delta, d_q, block_indices, packing.sequence_T, packing.position_T, packing.first_key_N,
            *d_o.stride()[:2], *q.stride()[:2], *k.stride()[:2], *v.stride()[:2], top_k, scale,
            **_group(q, K), BLOCK=block_size, TILE=_tile(q, block_size, 16),
        )  # fmt: skip
    items = _Items.of(block_indices, packing, block_size, VISITS_A_GRADIENT)
    d_k_items = k.new_empty(items.count, block_size, D, dtype=torch.float32)
    d_v_items = torch.empty_like(d_k_items)
    tile = _tile(q, block_size, 16)
    if items.count:
        triton_blocks.block_gradients[(items.count, block_size // tile)](
            d_o, q, k, v, lse, delta, d_k_items, d_v_items, *items.where(), packing.first_key_N,
            *d_o.stride()[:2], *q.stride()[:2], *k.stride()[:2], *v.stride()[:2],
            items.visits.n_blocks, top_k, VISITS_A_GRADIENT, scale,
            **_group(q, K, rows=_rows(q)), GROUP_PADDED=_padded(H // K), BLOCK=block_size, TILE=tile,
            num_warps=8,
        )  # fmt: skip
    items.sum(d_k_items, d_k, summed=1)
    items.sum(d_v_items, d_v, summed=1)
    return d_q, d_k, d_v


def index_loss(
    q: Tensor, k: Tensor, index_q: Tensor, index_k: Tensor, block_indices: Tensor, lse: Tensor, index_lse: Tensor,
    packing: Packing, block_size: int, scale: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """As chunked.index_loss: the loss and d_index_q query by query, d_index_k block by block."""
    T, H, _ = q.shape
    K, top_k = block_indices.shape[1:]
    Di = index_q.shape[-1]
    check(block_size, q.shape[-1], Di)
    q, k, index_q, index_k = (_side_by_side(x) for x in (q, k, index_q, index_k))
    block_indices, lse, index_lse = (x.contiguous() for x in (block_indices, lse, index_lse))
    d_index_q, d_index_k = index_q.new_empty(index_q.shape), index_k.new_empty(index_k.shape)
    loss_TK = q.new_zeros(T, K, dtype=torch.float32)
    mean, index_scale = 1.0 / max(T * K, 1), Di**-0.5
    scales = (scale, index_scale, index_scale * mean)
    strides = (*q.stride()[:2], *k.stride()[:2], *index_q.stride()[:2], index_k.stride(0))
    wider = q if q.shape[-1] >= Di else index_q
    if T:
        triton_queries.index_query_gradients[(T, K)](
            q, k, index_q, index_k, lse, index_lse, loss_TK, d_index_q, block_indices,
            packing.sequence_T, packing.position_T, packing.first_key_N, *strides, top_k, *scales,
            **_group(q, K), INDEX_DIM=Di, BLOCK=block_size, TILE=_tile(wider, block_size, 16),
        )  # fmt: skip
    items = _Items.of(block_indices, packing, block_size, VISITS_A_GRADIENT)
    d_items = index_k.new_empty(items.count, block_size, Di, dtype=torch.float32)
    tile = _tile(wider, block_size, 16)
    if items.count:
        triton_blocks.index_block_gradients[(items.count, block_size // tile)](
            q, k, index_q, index_k, lse, index_lse, d_items, *items.where(), packing.first_key_N,
            *strides, items.visits.n_blocks, top_k, VISITS_A_GRADIENT, *scales,
            HEADS=H, GROUP=H // K, QUERIES=_rows(wider), DIM=q.shape[-1], INDEX_DIM=Di, BLOCK=block_size,
            TILE=tile, PRECISION=_precision(q), num_warps=8,
        )  # fmt: skip
    items.sum(d_items, d_index_k[:, None], summed=K)
    return loss_TK.sum() * mean, d_index_q, d_index_k


def decode(
    q: Tensor, k_pages: Tensor, v_pages: Tensor, block_tables: Tensor, seq_lens: Tensor, block_indices: Tensor,
    scale: float,
) -> Tensor:  # fmt: skip
    """As chunked.decode."""
    page = k_pages.shape[1]
    check(page, q.shape[-1])
    q, k, v = (_side_by_side(x) for x in (q, k_pages, v_pages))
    strides = (*k.stride()[:3], *v.stride()[:3])
    o, _ = _forward_by_query(
        q, k, v, strides, block_indices.contiguous(), _last_positions(seq_lens), block_tables, page, scale
    )
    return o


@dataclass(frozen=True, slots=True)
class _Items:
    """Visits cut into pieces for one program each; `count` is the most that there can be, the rest have no row."""

    visits: Visits
    packing: Packing
    block_size: int
    rows: Tensor
    """[count] int32: kv head * n_blocks + block of each; K * n_blocks for places that stay empty."""
    offsets: Tensor
    """[K*n_blocks+1] int32: the first item of each row."""
    block_sequences: Tensor
    """[n_blocks] int32."""
    block_offsets: Tensor
    """[N] int32: the first block of each sequence."""

    @classmethod
    def of(cls, block_indices: Tensor, packing: Packing, block_size: int, visits_an_item: int) -> _Items:
        visits = Visits.of(block_indices, packing, block_size)
        device, total = block_indices.device, block_indices.numel()
        counts = torch.div(visits.pointers.diff() + visits_an_item - 1, visits_an_item, rounding_mode="floor")
        offsets = torch.nn.functional.pad(counts.cumsum(0), (1, 0)).int()
        places = torch.arange(min(total // visits_an_item + counts.numel(), total), dtype=torch.int32, device=device)
        rows = torch.searchsorted(offsets[1:], places, right=True, out_int32=True)
        n_blocks = torch.tensor(lengths(visits.block_bounds), device=device)
        block_sequences = torch.repeat_interleave(n_blocks, output_size=visits.n_blocks).int()
        first_blocks = torch.tensor(visits.block_bounds[:-1], dtype=torch.int32, device=device)
        return cls(visits, packing, block_size, rows, offsets, block_sequences, first_blocks)

    @property
    def count(self) -> int:
        return self.rows.numel()

    def where(self) -> tuple[Tensor, ...]:
        return (
            self.rows, self.offsets, self.visits.pointers, self.visits.entries, self.packing.position_T,
            self.block_sequences, self.block_offsets,
        )  # fmt: skip

    def sum(self, items: Tensor, out_THD: Tensor, *, summed: int) -> None:
        """Of every block's items, `summed` kv heads into one of `out`, which is contiguous."""
        _, H, D = out_THD.shape
        tile = min(self.block_size, 32)
        n_keys = torch.tensor(lengths(self.packing.k_bounds), dtype=torch.int32, device=items.device)
        if self.visits.n_blocks:
            triton_blocks.sum_items[(self.visits.n_blocks, H, self.block_size // tile)](
                items, out_THD, self.offsets, self.block_sequences, self.block_offsets, self.packing.first_key_N,
                n_keys, self.visits.n_blocks, HEADS=H, SUMMED=summed, DIM=D, BLOCK=self.block_size, TILE=tile,
            )  # fmt: skip


def _group(q: Tensor, K: int, rows: int = 16) -> dict[str, Any]:
    _, H, D = q.shape
    return dict(HEADS=H, GROUP=H // K, ROWS=max(_padded(H // K), rows), DIM=D, PRECISION=_precision(q))


def _last_positions(seq_lens: Tensor) -> Packing:
    """One query at the end of each sequence, keys in pages."""
    sequences = torch.arange(len(seq_lens), dtype=torch.int32, device=seq_lens.device)
    return Packing([], [], torch.zeros_like(sequences), sequences, seq_lens - 1)


def _tile(x: Tensor, block_size: int, kib: int = 32) -> int:
    """Keys that a program has at a time: 32 KiB where it keeps them, 16 where it loads ahead or sums their gradients.

    With their values and the queries that fits the shared memory of a Hopper GPU, and sums fit the registers.
    """
    return min(block_size, max((kib << 10) // (x.shape[-1] * x.element_size()), 16))


def _rows(x: Tensor) -> int:
    """Rows of a matrix product where they are no single query's."""
    return 64 if x.shape[-1] * x.element_size() <= 256 else 32


def _padded(n: int) -> int:
    """The next power of two."""
    return 1 << max(n - 1, 0).bit_length()


def _precision(x: Tensor) -> str:
    return "tf32x3" if x.dtype == torch.float32 else "tf32"


def _side_by_side(x: Tensor) -> Tensor:
    return x if x.stride(-1) == 1 else x.contiguous()


def check(block_size: int, head_dim: int | None = None, index_head_dim: int | None = None) -> None:
    """Refuse what no kernel is made for."""
    for name, found, allowed in (
        ("block_size", block_size, BLOCK_SIZES),
        ("head dim", head_dim, HEAD_DIMS),
        ("index head dim", index_head_dim, HEAD_DIMS),
    ):
        if found is not None and found not in allowed:
            raise KernelInputError(
                f"{name} {found}: path 'triton' takes {', '.join(map(str, allowed))}; path='chunked' takes any"
            )
