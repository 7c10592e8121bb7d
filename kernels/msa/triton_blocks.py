"""The Triton kernels with one program a block of keys (KV-outer): it keeps them and goes over the queries that visit.

A block's visits are cut into items of at most `visits_an_item`, one program each, so that a block which every query
visits does not hold up the rest. Nothing is added atomically: the forward pass writes each visit's output to a slot of
its own (`combine` in triton_queries sums the slots), gradients are written per item and summed by `sum_items`.

A tile of TILE keys of the block has a program of its own.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

from __future__ import annotations

import triton
import triton.language as tl

_LOG2E = tl.constexpr(1.4426950408889634)
_LIFT = tl.constexpr(1024.0)


@triton.jit
def _item(pointers, item_offsets, item, row, visits_an_item):
    """The entries [begin, end) of an item of the visits of one kv head and block, `row`."""
    begin = tl.load(pointers + row) + (item - tl.load(item_offsets + row)) * visits_an_item
    return begin, tl.minimum(begin + visits_an_item, tl.load(pointers + row + 1))


@triton.jit
def attend_blocks(
    q, k, v, parts, part_lse, item_rows, item_offsets, pointers, entries, positions, block_sequences, block_offsets,
    first_keys, q_token, q_head, k_token, k_head, v_token, v_head, n_blocks, top_k, visits_an_item, scale,
    HEADS: tl.constexpr, GROUP: tl.constexpr, GROUP_PADDED: tl.constexpr, ROWS: tl.constexpr, DIM: tl.constexpr,
    BLOCK: tl.constexpr, TILE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """parts[query, slot, tile, head] = softmax over the tile's keys, part_lse beside it."""
    item, tile = tl.program_id(0), tl.program_id(1)
    n_kv_heads: tl.constexpr = HEADS // GROUP
    item_row = tl.load(item_rows + item)
    if item_row >= n_kv_heads * n_blocks:
        return
    kv_head, any_block = (item_row // n_blocks).to(tl.int64), item_row % n_blocks
    sequence = tl.load(block_sequences + any_block)
    key = (any_block - tl.load(block_offsets + sequence)) * BLOCK + tile * TILE + tl.arange(0, TILE)
    begin, end = _item(pointers, item_offsets, item, item_row, visits_an_item)
    row, dim = tl.arange(0, ROWS), tl.arange(0, DIM)
    head = kv_head * GROUP + row % GROUP_PADDED
    # the keys behind the last that any of these queries sees may not exist: entries are in the order of queries
    last_position = tl.load(positions + tl.load(entries + end - 1) // (n_kv_heads * top_k))
    exists = key <= last_position
    at = (tl.load(first_keys + sequence).to(tl.int64) + key)[:, None]
    k_tile = tl.load(k + at * k_token + kv_head * k_head + dim, mask=exists[:, None], other=0.0)
    v_tile = tl.load(v + at * v_token + kv_head * v_head + dim, mask=exists[:, None], other=0.0)
    queries: tl.constexpr = ROWS // GROUP_PADDED
    for start in range(begin, end, queries):
        place = start + row // GROUP_PADDED
        inside = (place < end) & (row % GROUP_PADDED < GROUP)
        entry = tl.load(entries + place, mask=place < end, other=0)
        query, slot = entry // (n_kv_heads * top_k), entry % top_k
        position = tl.load(positions + query, mask=inside, other=-1)
        q_at = q + query[:, None] * q_token + head[:, None] * q_head + dim
        q_tile = tl.load(q_at, mask=inside[:, None], other=0.0)
        scores = tl.dot(q_tile, tl.trans(k_tile), input_precision=PRECISION) * (scale * _LOG2E)
        scores = tl.where(key[None, :] <= position[:, None], scores, float("-inf"))
        greatest = tl.max(scores, 1)
        finite = tl.where(greatest == float("-inf"), 0.0, greatest)
        p = tl.exp2(scores - finite[:, None])
        total = tl.sum(p, 1)
        one = tl.dot(p.to(v_tile.dtype), v_tile, input_precision=PRECISION)
        total = tl.where(total == 0.0, 1.0, total)
        one = one / total[:, None]
        part_at = ((query * top_k + slot) * (BLOCK // TILE) + tile) * HEADS + head
        tl.store(parts + part_at[:, None] * DIM + dim, one.to(parts.dtype.element_ty), mask=inside[:, None])
        tl.store(part_lse + part_at, (greatest + tl.log2(total)) / _LOG2E, mask=inside)


@triton.jit
def block_gradients(
    d_o, q, k, v, lse, delta, d_k_items, d_v_items, item_rows, item_offsets, pointers, entries, positions,
    block_sequences, block_offsets, first_keys,
    d_o_token, d_o_head, q_token, q_head, k_token, k_head, v_token, v_head, n_blocks, top_k, visits_an_item, scale,
    HEADS: tl.constexpr, GROUP: tl.constexpr, GROUP_PADDED: tl.constexpr, ROWS: tl.constexpr, DIM: tl.constexpr,
    BLOCK: tl.constexpr, TILE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """An item's share of d_v = p^T d_o and d_k = scale (p (d_o v - delta))^T q, over all heads of the group."""
    item, tile = tl.program_id(0), tl.program_id(1)
    n_kv_heads: tl.constexpr = HEADS // GROUP
    item_row = tl.load(item_rows + item)
    if item_row >= n_kv_heads * n_blocks:
        return
    kv_head, any_block = (item_row // n_blocks).to(tl.int64), item_row % n_blocks
    sequence = tl.load(block_sequences + any_block)
    in_block = tile * TILE + tl.arange(0, TILE)
    key = (any_block - tl.load(block_offsets + sequence)) * BLOCK + in_block
    begin, end = _item(pointers, item_offsets, item, item_row, visits_an_item)
    row, dim = tl.arange(0, ROWS), tl.arange(0, DIM)
    head = kv_head * GROUP + row % GROUP_PADDED
    last_position = tl.load(positions + tl.load(entries + end - 1) // (n_kv_heads * top_k))
    exists = key <= last_position
    at = (tl.load(first_keys + sequence).to(tl.int64) + key)[:, None]
    k_tile = tl.load(k + at * k_token + kv_head * k_head + dim, mask=exists[:, None], other=0.0)
    v_tile = tl.load(v + at * v_token + kv_head * v_head + dim, mask=exists[:, None], other=0.0)
    d_k = tl.zeros([TILE, DIM], tl.float32)
    d_v = tl.zeros([TILE, DIM], tl.float32)
    queries: tl.constexpr = ROWS // GROUP_PADDED
    for start in range(begin, end, queries):
        place = start + row // GROUP_PADDED
        inside = (place < end) & (row % GROUP_PADDED < GROUP)
        query = tl.load(entries + place, mask=place < end, other=0) // (n_kv_heads * top_k)
        position = tl.load(positions + query, mask=inside, other=-1)
        q_at = q + query[:, None] * q_token + head[:, None] * q_head + dim
        q_tile = tl.load(q_at, mask=inside[:, None], other=0.0)
        d_o_at = d_o + query[:, None] * d_o_token + head[:, None] * d_o_head + dim
        d_o_tile = tl.load(d_o_at, mask=inside[:, None], other=0.0)
        row_lse = tl.load(lse + query * HEADS + head, mask=inside, other=0.0) * _LOG2E
        row_delta = tl.load(delta + query * HEADS + head, mask=inside, other=0.0)
        scores = tl.dot(q_tile, tl.trans(k_tile), input_precision=PRECISION) * (scale * _LOG2E)
        seen = key[None, :] <= position[:, None]
        p = tl.where(seen, tl.exp2(scores - row_lse[:, None]), 0.0)
        d_v += tl.dot(tl.trans(p.to(d_o_tile.dtype)), d_o_tile, input_precision=PRECISION)
        d_p = tl.dot(d_o_tile, tl.trans(v_tile), input_precision=PRECISION)
        d_scores = p * (d_p - row_delta[:, None])
        d_k += tl.dot(tl.trans(d_scores.to(q_tile.dtype)), q_tile, input_precision=PRECISION)
    item_at = (item.to(tl.int64) * BLOCK + in_block)[:, None] * DIM + dim
    tl.store(d_k_items + item_at, d_k * scale)
    tl.store(d_v_items + item_at, d_v)


@triton.jit
def index_block_gradients(
    q, k, index_q, index_k, lse, index_lse, d_items, item_rows, item_offsets, pointers, entries, positions,
    block_sequences, block_offsets, first_keys,
    q_token, q_head, k_token, k_head, index_q_token, index_q_head, index_k_token, n_blocks, top_k, visits_an_item,
    scale, index_scale, weight,
    HEADS: tl.constexpr, GROUP: tl.constexpr, QUERIES: tl.constexpr, DIM: tl.constexpr, INDEX_DIM: tl.constexpr,
    BLOCK: tl.constexpr, TILE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """An item's share of d_index_k = weight * (P_index - P)^T index_q, P summed head by head."""
    item, tile = tl.program_id(0), tl.program_id(1)
    n_kv_heads: tl.constexpr = HEADS // GROUP
    item_row = tl.load(item_rows + item)
    if item_row >= n_kv_heads * n_blocks:
        return
    kv_head, any_block = (item_row // n_blocks).to(tl.int64), item_row % n_blocks
    sequence = tl.load(block_sequences + any_block)
    in_block = tile * TILE + tl.arange(0, TILE)
    key = (any_block - tl.load(block_offsets + sequence)) * BLOCK + in_block
    begin, end = _item(pointers, item_offsets, item, item_row, visits_an_item)
    dim, index_dim = tl.arange(0, DIM), tl.arange(0, INDEX_DIM)
    last_position = tl.load(positions + tl.load(entries + end - 1) // (n_kv_heads * top_k))
    exists = key <= last_position
    at = (tl.load(first_keys + sequence).to(tl.int64) + key)[:, None]
    k_tile = tl.load(k + at * k_token + kv_head * k_head + dim, mask=exists[:, None], other=0.0)
    index_k_tile = tl.load(index_k + at * index_k_token + index_dim, mask=exists[:, None], other=0.0)
    acc = tl.zeros([TILE, INDEX_DIM], tl.float32)
    for start in range(begin, end, QUERIES):
        place = start + tl.arange(0, QUERIES)
        inside = place < end
        query = tl.load(entries + place, mask=inside, other=0) // (n_kv_heads * top_k)
        position = tl.load(positions + query, mask=inside, other=-1)
        seen = key[None, :] <= position[:, None]
        p = tl.zeros([QUERIES, TILE], tl.float32)
        for one in range(GROUP):
            head = kv_head * GROUP + one
            q_at = q + query[:, None] * q_token + head * q_head + dim
            q_tile = tl.load(q_at, mask=inside[:, None], other=0.0)
            head_lse = tl.load(lse + query * HEADS + head, mask=inside, other=0.0) * _LOG2E
            scores = tl.dot(q_tile, tl.trans(k_tile), input_precision=PRECISION) * (scale * _LOG2E)
            p += tl.where(seen, tl.exp2(scores - head_lse[:, None]), 0.0)
        index_q_at = index_q + query[:, None] * index_q_token + kv_head * index_q_head + index_dim
        index_q_tile = tl.load(index_q_at, mask=inside[:, None], other=0.0)
        row_lse = tl.load(index_lse + query * n_kv_heads + kv_head, mask=inside, other=0.0)
        scores = tl.dot(index_q_tile, tl.trans(index_k_tile), input_precision=PRECISION) * index_scale
        index_p = tl.where(seen, tl.exp(scores - row_lse[:, None]), 0.0)
        # differences of probabilities are small for float16
        d_scores = (index_p - p / GROUP) * _LIFT
        acc += tl.dot(tl.trans(d_scores.to(index_q_tile.dtype)), index_q_tile, input_precision=PRECISION)
    item_at = (item.to(tl.int64) * BLOCK + in_block)[:, None] * INDEX_DIM + index_dim
    tl.store(d_items + item_at, acc * (weight / _LIFT))


@triton.jit
def sum_items(
    items, out, item_offsets, block_sequences, block_offsets, first_keys, sequence_keys, n_blocks,
    HEADS: tl.constexpr, SUMMED: tl.constexpr, DIM: tl.constexpr, BLOCK: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """out[key, head] = sum over the items of the key's block, in their order, of SUMMED kv heads from head * SUMMED."""
    any_block, head, tile = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    sequence = tl.load(block_sequences + any_block)
    in_block, dim = tile * TILE + tl.arange(0, TILE), tl.arange(0, DIM)
    key = (any_block - tl.load(block_offsets + sequence)) * BLOCK + in_block
    acc = tl.zeros([TILE, DIM], tl.float32)
    for kv_head in range(head * SUMMED, head * SUMMED + SUMMED):
        row = kv_head * n_blocks + any_block
        first, last = tl.load(item_offsets + row).to(tl.int64), tl.load(item_offsets + row + 1).to(tl.int64)
        for item in range(first, last):
            acc += tl.load(items + (item * BLOCK + in_block)[:, None] * DIM + dim)
    at = (tl.load(first_keys + sequence).to(tl.int64) + key) * HEADS + head
    exists = (key < tl.load(sequence_keys + sequence))[:, None]
    tl.store(out + at[:, None] * DIM + dim, acc.to(out.dtype.element_ty), mask=exists)
