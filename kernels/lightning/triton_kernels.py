"""The Triton kernels of lightning attention. Imported only when one of them is about to run.

Sequences lie one behind the other on one token axis and are cut into segments of whole chunks; none straddles two
sequences. Three kernels: what each segment adds to the state (parallel over segments), the scan that turns this into
the state before each segment, and the outputs (parallel over segments; within one, chunk after chunk with the state
in registers). A program owns one head and a tile of BLOCK_V columns of the state: columns never mix.

REVERSE reads every sequence from its last token to its first; the backward pass is made of that (README.md).
"""
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _rows(place, first, last, REVERSE: tl.constexpr):
    """Rows of the token axis of the places in a sequence that lies in [first, last)."""
    if REVERSE:
        row = last - 1 - place
    else:
        row = first + place
    return row.to(tl.int64)


@triton.jit
def segment_states(
    k, v, slopes, states, cu_seqlens, segment_sequence, segment_offsets,
    k_token, k_head, v_token, v_head, n_sequences, segment_chunks,
    HEADS: tl.constexpr, DIM: tl.constexpr, CHUNK: tl.constexpr, BLOCK_V: tl.constexpr, REVERSE: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """states[segment, head] = sum over the segment's tokens j of exp(-s (end - 1 - j)) k_j^T v_j."""
    segment, head, tile = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    sequence = tl.load(segment_sequence + segment)
    if sequence >= n_sequences:
        return
    first, last = tl.load(cu_seqlens + sequence), tl.load(cu_seqlens + sequence + 1)
    begin = (segment - tl.load(segment_offsets + sequence)) * segment_chunks * CHUNK
    end = tl.minimum(begin + segment_chunks * CHUNK, last - first)
    slope = tl.load(slopes + head)
    dim, column, place = tl.arange(0, DIM), tile * BLOCK_V + tl.arange(0, BLOCK_V), tl.arange(0, CHUNK)

    state = tl.zeros([DIM, BLOCK_V], tl.float32)
    for start in range(begin, end, CHUNK):
        inside = start + place < end
        row = _rows(start + place, first, last, REVERSE)
        k_tile = tl.load(k + row[:, None] * k_token + head * k_head + dim, mask=inside[:, None], other=0.0)
        v_tile = tl.load(v + row[:, None] * v_token + head * v_head + column, mask=inside[:, None], other=0.0)
        # the clamp keeps rows behind the end, which are zero, from overflowing
        until_end = tl.exp(-slope * tl.maximum(end - 1 - start - place, 0).to(tl.float32))
        decayed = (k_tile * until_end[:, None]).to(k_tile.dtype)
        state += tl.dot(tl.trans(decayed), v_tile, input_precision=PRECISION)
    at = (segment.to(tl.int64) * HEADS + head) * DIM * DIM
    tl.store(states + at + dim[:, None] * DIM + column, state)


@triton.jit
def scan_states(
    states, initial, final, slopes, cu_seqlens, segment_offsets,
    initial_sequence, initial_head, initial_row, initial_column, segment_tokens,
    HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """In place: what each segment adds becomes the state before it. final = the state after the last."""
    sequence, head, block = tl.program_id(0).to(tl.int64), tl.program_id(1), tl.program_id(2)
    left = tl.load(cu_seqlens + sequence + 1) - tl.load(cu_seqlens + sequence)
    slope = tl.load(slopes + head)
    cell = block * BLOCK + tl.arange(0, BLOCK)
    row, column = cell // DIM, cell % DIM

    state = tl.load(
        initial + sequence * initial_sequence + head * initial_head + row * initial_row + column * initial_column
    )
    begin = tl.load(segment_offsets + sequence)
    at = states + (begin.to(tl.int64) * HEADS + head) * DIM * DIM + cell
    for _ in range(begin, tl.load(segment_offsets + sequence + 1)):
        added = tl.load(at)
        tl.store(at, state)
        state = state * tl.exp(-slope * tl.minimum(segment_tokens, left).to(tl.float32)) + added
        left -= segment_tokens
        at += HEADS * DIM * DIM
    tl.store(final + (sequence * HEADS + head) * DIM * DIM + cell, state)


@triton.jit
def segment_outputs(
    q, k, v, o, slopes, states, cu_seqlens, segment_sequence, segment_offsets,
    q_token, q_head, k_token, k_head, v_token, v_head, n_sequences, segment_chunks,
    HEADS: tl.constexpr, DIM: tl.constexpr, CHUNK: tl.constexpr, BLOCK_V: tl.constexpr, REVERSE: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """o_i = exp(-s(i+1)) q_i S + sum over j <= i of exp(-s(i-j)) (q_i k_j) v_j, S being the state before the chunk."""
    segment, head, tile = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    sequence = tl.load(segment_sequence + segment)
    if sequence >= n_sequences:
        return
    first, last = tl.load(cu_seqlens + sequence), tl.load(cu_seqlens + sequence + 1)
    begin = (segment - tl.load(segment_offsets + sequence)) * segment_chunks * CHUNK
    end = tl.minimum(begin + segment_chunks * CHUNK, last - first)
    slope = tl.load(slopes + head)
    dim, column, place = tl.arange(0, DIM), tile * BLOCK_V + tl.arange(0, BLOCK_V), tl.arange(0, CHUNK)
    since_start = tl.exp(-slope * (place + 1).to(tl.float32))
    apart = place[:, None] - place[None, :]
    between = tl.where(apart >= 0, tl.exp(-slope * tl.maximum(apart, 0).to(tl.float32)), 0.0)

    at = (segment.to(tl.int64) * HEADS + head) * DIM * DIM
    state = tl.load(states + at + dim[:, None] * DIM + column)
    for start in range(begin, end, CHUNK):
        inside = start + place < end
        row = _rows(start + place, first, last, REVERSE)
        q_tile = tl.load(q + row[:, None] * q_token + head * q_head + dim, mask=inside[:, None], other=0.0)
        k_tile = tl.load(k + row[:, None] * k_token + head * k_head + dim, mask=inside[:, None], other=0.0)
        v_tile = tl.load(v + row[:, None] * v_token + head * v_head + column, mask=inside[:, None], other=0.0)
        scores = tl.dot(q_tile, tl.trans(k_tile), input_precision=PRECISION) * between
        o_tile = tl.dot(q_tile, state.to(q_tile.dtype), input_precision=PRECISION) * since_start[:, None]
        o_tile += tl.dot(scores.to(v_tile.dtype), v_tile, input_precision=PRECISION)
        o_at = o + (row[:, None] * HEADS + head) * DIM + column
        tl.store(o_at, o_tile.to(o.dtype.element_ty), mask=inside[:, None])
        # only the last chunk of a sequence is short, and its state is nobody's start
        until_end = tl.exp(-slope * (CHUNK - 1 - place).to(tl.float32))
        decayed = (k_tile * until_end[:, None]).to(k_tile.dtype)
        state = state * tl.exp(-slope * CHUNK) + tl.dot(tl.trans(decayed), v_tile, input_precision=PRECISION)


@triton.jit
def step(
    q, k, v, o, slopes, state, slots, q_row, q_head, k_row, k_head, v_row, v_head, state_slot, state_head,
    HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK_V: tl.constexpr, HAS_SLOTS: tl.constexpr,
):  # fmt: skip
    """One token for each sequence: S = exp(-s) S + k^T v in place, o = q S."""
    row, head, tile = tl.program_id(0).to(tl.int64), tl.program_id(1), tl.program_id(2)
    dim, column = tl.arange(0, DIM), tile * BLOCK_V + tl.arange(0, BLOCK_V)
    slot = row
    if HAS_SLOTS:
        slot = tl.load(slots + row).to(tl.int64)
    q_dims = tl.load(q + row * q_row + head * q_head + dim).to(tl.float32)
    k_dims = tl.load(k + row * k_row + head * k_head + dim).to(tl.float32)
    v_columns = tl.load(v + row * v_row + head * v_head + column).to(tl.float32)
    at = state + slot * state_slot + head * state_head + dim[:, None] * DIM + column
    new = tl.load(at) * tl.exp(-tl.load(slopes + head)) + k_dims[:, None] * v_columns
    tl.store(at, new)
    o_columns = tl.sum(q_dims[:, None] * new, axis=0)
    tl.store(o + (row * HEADS + head) * DIM + column, o_columns.to(o.dtype.element_ty))
