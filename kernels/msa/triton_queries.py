"""The Triton kernels with one program a query and kv head (Q-outer): it reads the keys and values of its blocks.

The G query heads of the group are the rows of its matrix products, padded to 16. Forward (also decoding, with the slots
split among programs and keys in pages), the gradient of q, and the index loss with the gradient of index_q.
Scores are kept in units of log 2.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

from __future__ import annotations

import triton
import triton.language as tl

_LOG2E = tl.constexpr(1.4426950408889634)


@triton.jit
def attend_queries(
    q, k, v, o, lse, block_indices, sequences, positions, first_keys, tables,
    q_token, q_head, k_page, k_token, k_head, v_page, v_token, v_head, table_row, top_k, slots_a_program, scale,
    HEADS: tl.constexpr, GROUP: tl.constexpr, ROWS: tl.constexpr, DIM: tl.constexpr, BLOCK: tl.constexpr,
    TILE: tl.constexpr, PAGED: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """o[query, split, head] and lse[query, split, head] of one split's slots; zeros and -inf if none is seen."""
    query, kv_head, split = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64), tl.program_id(2)
    row, dim = tl.arange(0, ROWS), tl.arange(0, DIM)
    head, inside = kv_head * GROUP + row, row < GROUP
    position = tl.load(positions + query)
    sequence = tl.load(sequences + query).to(tl.int64)
    first_key = tl.load(first_keys + sequence).to(tl.int64)
    q_tile = tl.load(q + query * q_token + head[:, None] * q_head + dim, mask=inside[:, None], other=0.0)

    greatest = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    acc = tl.zeros([ROWS, DIM], tl.float32)
    n_kv_heads: tl.constexpr = HEADS // GROUP
    chosen_at = block_indices + (query * n_kv_heads + kv_head) * top_k
    for slot in range(split * slots_a_program, tl.minimum((split + 1) * slots_a_program, top_k)):
        block = tl.load(chosen_at + slot)
        if (block >= 0) & (block * BLOCK <= position):
            if PAGED:
                page = tl.load(tables + sequence * table_row + block).to(tl.int64)
                k_at, v_at = k + page * k_page, v + page * v_page
            else:
                k_at = k + (first_key + block * BLOCK) * k_token
                v_at = v + (first_key + block * BLOCK) * v_token
            for start in range(0, BLOCK, TILE):
                place = (start + tl.arange(0, TILE)).to(tl.int64)
                seen = block * BLOCK + place <= position
                k_tile = tl.load(
                    k_at + place[:, None] * k_token + kv_head * k_head + dim, mask=seen[:, None], other=0.0
                )
                v_tile = tl.load(
                    v_at + place[:, None] * v_token + kv_head * v_head + dim, mask=seen[:, None], other=0.0
                )
                scores = tl.dot(q_tile, tl.trans(k_tile), input_precision=PRECISION) * (scale * _LOG2E)
                scores = tl.where(seen[None, :], scores, float("-inf"))
                higher = tl.maximum(greatest, tl.max(scores, 1))
                # a tile that lies in the future as a whole may come before one that does not
                finite = tl.where(higher == float("-inf"), 0.0, higher)
                decay = tl.exp2(greatest - finite)
                p = tl.exp2(scores - finite[:, None])
                total = total * decay + tl.sum(p, 1)
                acc = acc * decay[:, None]
                acc += tl.dot(p.to(v_tile.dtype), v_tile, input_precision=PRECISION)
                greatest = higher
    total = tl.where(total == 0.0, 1.0, total)
    acc = acc / total[:, None]
    row_at = (query * tl.num_programs(2) + split) * HEADS + head
    tl.store(o + row_at[:, None] * DIM + dim, acc.to(o.dtype.element_ty), mask=inside[:, None])
    tl.store(lse + row_at, (greatest + tl.log2(total)) / _LOG2E, mask=inside)


@triton.jit
def combine(
    parts, part_lse, o, lse, n_parts,
    HEADS: tl.constexpr, HEADS_PADDED: tl.constexpr, DIM: tl.constexpr,
):  # fmt: skip
    """o[query] = sum over parts of exp(part_lse - lse) parts; parts of lse -inf are not read."""
    query = tl.program_id(0).to(tl.int64)
    head, dim = tl.program_id(1) * HEADS_PADDED + tl.arange(0, HEADS_PADDED), tl.arange(0, DIM)
    inside = head < HEADS
    greatest = tl.full([HEADS_PADDED], float("-inf"), tl.float32)
    total = tl.zeros([HEADS_PADDED], tl.float32)
    acc = tl.zeros([HEADS_PADDED, DIM], tl.float32)
    for n in range(n_parts):
        at = (query * n_parts + n) * HEADS + head
        one_lse = tl.load(part_lse + at, mask=inside, other=float("-inf"))
        filled = one_lse > float("-inf")
        one = tl.load(parts + at[:, None] * DIM + dim, mask=filled[:, None], other=0.0).to(tl.float32)
        higher = tl.maximum(greatest, one_lse)
        finite = tl.where(higher == float("-inf"), 0.0, higher)
        decay, weight = tl.exp(greatest - finite), tl.exp(one_lse - finite)
        total = total * decay + weight
        acc = acc * decay[:, None] + one * weight[:, None]
        greatest = higher
    total = tl.where(total == 0.0, 1.0, total)
    acc = acc / total[:, None]
    at = query * HEADS + head
    tl.store(o + at[:, None] * DIM + dim, acc.to(o.dtype.element_ty), mask=inside[:, None])
    tl.store(lse + at, greatest + tl.log(total), mask=inside)


@triton.jit
def query_gradients(
    d_o, q, k, v, lse, delta, d_q, block_indices, sequences, positions, first_keys,
    d_o_token, d_o_head, q_token, q_head, k_token, k_head, v_token, v_head, top_k, scale,
    HEADS: tl.constexpr, GROUP: tl.constexpr, ROWS: tl.constexpr, DIM: tl.constexpr, BLOCK: tl.constexpr,
    TILE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """d_q = scale * sum over tokens of p (d_o v - delta) k."""
    query, kv_head = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64)
    row, dim = tl.arange(0, ROWS), tl.arange(0, DIM)
    head, inside = kv_head * GROUP + row, row < GROUP
    position = tl.load(positions + query)
    first_key = tl.load(first_keys + tl.load(sequences + query)).to(tl.int64)
    q_tile = tl.load(q + query * q_token + head[:, None] * q_head + dim, mask=inside[:, None], other=0.0)
    d_o_tile = tl.load(d_o + query * d_o_token + head[:, None] * d_o_head + dim, mask=inside[:, None], other=0.0)
    row_lse = tl.load(lse + query * HEADS + head, mask=inside, other=0.0) * _LOG2E
    row_delta = tl.load(delta + query * HEADS + head, mask=inside, other=0.0)

    acc = tl.zeros([ROWS, DIM], tl.float32)
    n_kv_heads: tl.constexpr = HEADS // GROUP
    chosen_at = block_indices + (query * n_kv_heads + kv_head) * top_k
    for slot in range(top_k):
        block = tl.load(chosen_at + slot)
        if (block >= 0) & (block * BLOCK <= position):
            for start in range(0, BLOCK, TILE):
                key = block * BLOCK + start + tl.arange(0, TILE)
                seen = key <= position
                at = (first_key + key)[:, None]
                k_tile = tl.load(k + at * k_token + kv_head * k_head + dim, mask=seen[:, None], other=0.0)
                v_tile = tl.load(v + at * v_token + kv_head * v_head + dim, mask=seen[:, None], other=0.0)
                scores = tl.dot(q_tile, tl.trans(k_tile), input_precision=PRECISION) * (scale * _LOG2E)
                p = tl.where(seen[None, :], tl.exp2(scores - row_lse[:, None]), 0.0)
                d_p = tl.dot(d_o_tile, tl.trans(v_tile), input_precision=PRECISION)
                d_scores = p * (d_p - row_delta[:, None])
                acc += tl.dot(d_scores.to(k_tile.dtype), k_tile, input_precision=PRECISION)
    at = (query * HEADS + head)[:, None] * DIM + dim
    tl.store(d_q + at, (acc * scale).to(d_q.dtype.element_ty), mask=inside[:, None])


@triton.jit
def index_query_gradients(
    q, k, index_q, index_k, lse, index_lse, loss, d_index_q, block_indices, sequences, positions, first_keys,
    q_token, q_head, k_token, k_head, index_q_token, index_q_head, index_k_token, top_k, scale, index_scale, weight,
    HEADS: tl.constexpr, GROUP: tl.constexpr, ROWS: tl.constexpr, DIM: tl.constexpr, INDEX_DIM: tl.constexpr,
    BLOCK: tl.constexpr, TILE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """loss[query, kv head] = KL(P || P_index); d_index_q = weight * sum over tokens of (P_index - P) index_k."""
    query, kv_head = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64)
    row, dim, index_dim = tl.arange(0, ROWS), tl.arange(0, DIM), tl.arange(0, INDEX_DIM)
    head, inside = kv_head * GROUP + row, row < GROUP
    n_kv_heads: tl.constexpr = HEADS // GROUP
    place = query * n_kv_heads + kv_head
    position = tl.load(positions + query)
    first_key = tl.load(first_keys + tl.load(sequences + query)).to(tl.int64)
    q_tile = tl.load(q + query * q_token + head[:, None] * q_head + dim, mask=inside[:, None], other=0.0)
    index_q_row = tl.load(index_q + query * index_q_token + kv_head * index_q_head + index_dim).to(tl.float32)
    row_lse = tl.load(lse + query * HEADS + head, mask=inside, other=float("inf")) * _LOG2E
    own_index_lse = tl.load(index_lse + place)

    divergence = tl.zeros([TILE], tl.float32)
    acc = tl.zeros([INDEX_DIM], tl.float32)
    for slot in range(top_k):
        block = tl.load(block_indices + place * top_k + slot)
        if (block >= 0) & (block * BLOCK <= position):
            for start in range(0, BLOCK, TILE):
                key = block * BLOCK + start + tl.arange(0, TILE)
                seen = key <= position
                at = (first_key + key)[:, None]
                k_tile = tl.load(k + at * k_token + kv_head * k_head + dim, mask=seen[:, None], other=0.0)
                scores = tl.dot(q_tile, tl.trans(k_tile), input_precision=PRECISION) * (scale * _LOG2E)
                # padded rows have lse inf: exp2 makes them 0
                p = tl.where(seen, tl.sum(tl.exp2(scores - row_lse[:, None]), 0) / GROUP, 0.0)
                index_k_tile = tl.load(index_k + at * index_k_token + index_dim, mask=seen[:, None], other=0.0)
                index_k_tile = index_k_tile.to(tl.float32)
                log_index = tl.sum(index_k_tile * index_q_row[None, :], 1) * index_scale - own_index_lse
                log_p = tl.log(tl.where(p > 0.0, p, 1.0))
                divergence += tl.where(p > 0.0, p * (log_p - log_index), 0.0)
                d_scores = tl.where(seen, tl.exp(log_index) - p, 0.0)
                acc += tl.sum(d_scores[:, None] * index_k_tile, 0)
    tl.store(loss + place, tl.sum(divergence, 0))
    tl.store(d_index_q + place * INDEX_DIM + index_dim, (acc * weight).to(d_index_q.dtype.element_ty))


@triton.jit
def row_dots(
    a, b, out, a_token, a_head, b_token, b_head,
    HEADS: tl.constexpr, HEADS_PADDED: tl.constexpr, DIM: tl.constexpr,
):  # fmt: skip
    """out[query, head] = a . b, float32: the delta of the backward pass, of o and its gradient."""
    query = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1).to(tl.int64) * HEADS_PADDED + tl.arange(0, HEADS_PADDED)
    dim = tl.arange(0, DIM)
    inside = head < HEADS
    a_tile = tl.load(a + query * a_token + head[:, None] * a_head + dim, mask=inside[:, None], other=0.0)
    b_tile = tl.load(b + query * b_token + head[:, None] * b_head + dim, mask=inside[:, None], other=0.0)
    tl.store(out + query * HEADS + head, tl.sum(a_tile.to(tl.float32) * b_tile.to(tl.float32), 1), mask=inside)
