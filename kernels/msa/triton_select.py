"""The Triton kernels that choose blocks. Imported only when one of them is about to run.

`score_blocks` makes the greatest score of every visible block, and the sum of exp beside it, in one pass over the
index keys; `top_blocks` picks by an integer key that holds the score's bits and the block's number: no exp, no ties.

A row is a query of one kv head. Keys are packed, or in pages of one block each (PAGED).
"""
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

from __future__ import annotations

import triton
import triton.language as tl

_LOWEST = tl.constexpr(-(2**63))


@triton.jit(do_not_specialize=["n_queries", "n_blocks", "blocks_a_program"])
def score_blocks(
    index_q, index_k, block_max, block_sum, sequences, positions, first_keys, tables,
    q_token, q_head, k_page, k_token, table_row, n_queries, n_blocks, blocks_a_program, scale,
    HEADS: tl.constexpr, HEADS_PADDED: tl.constexpr, QUERIES: tl.constexpr, ROWS: tl.constexpr, DIM: tl.constexpr,
    BLOCK: tl.constexpr, TILE: tl.constexpr, PAGED: tl.constexpr, WITH_SUM: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """block_max[query, head, block] = greatest index_q . index_k, block_sum = sum of exp(scale (score - greatest))."""
    first_query = tl.program_id(0) * QUERIES
    first_block = tl.program_id(1) * blocks_a_program
    row, dim = tl.arange(0, ROWS), tl.arange(0, DIM)
    query, head = first_query + row // HEADS_PADDED, row % HEADS_PADDED
    inside = (row // HEADS_PADDED < QUERIES) & (query < n_queries) & (head < HEADS)
    query, head = query.to(tl.int64), head.to(tl.int64)
    q_at = index_q + query[:, None] * q_token + head[:, None] * q_head + dim
    q_tile = tl.load(q_at, mask=inside[:, None], other=0.0)
    row_sequence = tl.load(sequences + query, mask=inside, other=-1)
    row_position = tl.load(positions + query, mask=inside, other=-1)
    out_at = (query * HEADS + head) * n_blocks

    # the queries of a tile may belong to several sequences
    last_query = tl.minimum(first_query + QUERIES, n_queries) - 1
    first_sequence = tl.load(sequences + first_query).to(tl.int64)
    for sequence in range(first_sequence, tl.load(sequences + last_query).to(tl.int64) + 1):
        position = tl.where(row_sequence == sequence, row_position, -1)
        n_keys = tl.max(position, 0) + 1
        last_block = tl.minimum(first_block + blocks_a_program, tl.cdiv(n_keys, BLOCK))
        for block in range(first_block, last_block):
            if PAGED:
                page = tl.load(tables + sequence * table_row + block).to(tl.int64)
                k_at = index_k + page * k_page
            else:
                k_at = index_k + (tl.load(first_keys + sequence).to(tl.int64) + block * BLOCK) * k_token
            greatest = tl.full([ROWS], float("-inf"), tl.float32)
            total = tl.zeros([ROWS], tl.float32)
            for start in range(0, BLOCK, TILE):
                place = start + tl.arange(0, TILE)
                key = block * BLOCK + place
                k_tile = tl.load(
                    k_at + place[:, None].to(tl.int64) * k_token + dim, mask=(key < n_keys)[:, None], other=0.0
                )
                scores = tl.dot(q_tile, tl.trans(k_tile), input_precision=PRECISION)
                scores = tl.where(key[None, :] <= position[:, None], scores, float("-inf"))
                higher = tl.maximum(greatest, tl.max(scores, 1))
                if WITH_SUM:
                    finite = tl.where(higher == float("-inf"), 0.0, higher)
                    total = total * tl.exp(scale * (greatest - finite))
                    total += tl.sum(tl.exp(scale * (scores - finite[:, None])), 1)
                greatest = higher
            seen = block * BLOCK <= position
            tl.store(block_max + out_at + block, greatest, mask=seen)
            if WITH_SUM:
                tl.store(block_sum + out_at + block, total, mask=seen)


@triton.jit
def _keys(block_max, row_at, row_local, block, n_blocks):
    """int64 keys [ROWS, WIDTH] that order blocks by score, equal scores by the lower number; the local block leads."""
    seen = block[None, :] <= row_local[:, None]
    # + 0.0: -0.0 equals 0.0
    score = tl.load(block_max + row_at[:, None] + block[None, :], mask=seen, other=0.0) + 0.0
    bits = score.to(tl.int32, bitcast=True)
    ordered = tl.where(bits >= 0, bits, bits ^ 0x7FFFFFFF)
    ordered = tl.where(block[None, :] == row_local[:, None], 0x7FFFFFFF, ordered)
    keys = (ordered.to(tl.int64) << 32) | (n_blocks - 1 - block)[None, :].to(tl.int64)
    return tl.where(seen, keys, _LOWEST)


@triton.jit(do_not_specialize=["n_rows", "n_blocks"])
def top_blocks(
    block_max, block_sum, positions, block_indices, lse, n_rows, n_blocks, top_k, scale,
    HEADS: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr, WIDTH: tl.constexpr, TOP: tl.constexpr,
    WITH_LSE: tl.constexpr,
):  # fmt: skip
    """block_indices[row] = the top_k visible blocks of its scores, ascending; -1 behind them."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    inside = row < n_rows
    position = tl.load(positions + row // HEADS, mask=inside, other=-1)
    row_local = tl.where(position >= 0, position // BLOCK, -1)
    row_at = row * n_blocks
    best = tl.topk(_keys(block_max, row_at, row_local, tl.arange(0, WIDTH), n_blocks), TOP)
    for start in range(WIDTH, tl.max(row_local, 0) + 1, WIDTH):
        keys = _keys(block_max, row_at, row_local, start + tl.arange(0, WIDTH), n_blocks)
        # later tiles seldom have anything better
        if tl.max((tl.max(keys, 1) > tl.min(best, 1)).to(tl.int32), 0) > 0:
            best = tl.topk(tl.reshape(tl.join(best, tl.topk(keys, TOP)), [ROWS, 2 * TOP]), TOP)
    chosen = (best != _LOWEST) & (tl.arange(0, TOP) < top_k)[None, :]
    beyond: tl.constexpr = 0x7FFFFFFF
    block = tl.sort(tl.where(chosen, n_blocks - 1 - (best & 0xFFFFFFFF).to(tl.int32), beyond))
    chosen = block != beyond
    slot = tl.arange(0, TOP)[None, :]
    within = inside[:, None] & (slot < top_k)
    tl.store(block_indices + row[:, None] * top_k + slot, tl.where(chosen, block, -1), mask=within)
    if WITH_LSE:
        chosen = chosen & within
        at = row_at[:, None] + block
        # exp(scale * max) * sum, the log of their sum over blocks
        mass = tl.load(block_max + at, mask=chosen, other=float("-inf")) * scale
        mass += tl.log(tl.load(block_sum + at, mask=chosen, other=1.0))
        greatest = tl.max(mass, 1)
        finite = tl.where(greatest == float("-inf"), 0.0, greatest)
        total = tl.sum(tl.exp(mass - finite[:, None]), 1)
        tl.store(lse + row, greatest + tl.log(tl.where(total == 0.0, 1.0, total)), mask=inside)
