"""The Triton kernels of chosen log-probabilities. Imported only when one of them is about to run."""
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _logits(
    hidden, weight, token, column, hidden_token, weight_row, n_tokens, n_vocab, n_embed, inverse_temperature,
    BLOCK_T: tl.constexpr, BLOCK_V: tl.constexpr, BLOCK_E: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """[BLOCK_T, BLOCK_V] in float32; what lies outside is 0."""
    logits = tl.zeros([BLOCK_T, BLOCK_V], tl.float32)
    hidden_at = hidden + token.to(tl.int64)[:, None] * hidden_token
    weight_at = weight + column.to(tl.int64)[:, None] * weight_row
    for start in range(0, n_embed, BLOCK_E):
        dim = start + tl.arange(0, BLOCK_E)
        inside = dim[None, :] < n_embed
        h = tl.load(hidden_at + dim, mask=inside & (token[:, None] < n_tokens), other=0.0)
        w = tl.load(weight_at + dim, mask=inside & (column[:, None] < n_vocab), other=0.0)
        logits += tl.dot(h, tl.trans(w), input_precision=PRECISION)
    return logits * inverse_temperature


@triton.jit
def statistics(
    hidden, weight, targets, top_out, total_out, moment_out, chosen_out,
    hidden_token, weight_row, n_tokens, n_vocab, n_embed, inverse_temperature, split_blocks,
    BLOCK_T: tl.constexpr, BLOCK_V: tl.constexpr, BLOCK_E: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """One block of tokens against one split of the vocabulary; outputs [splits, T] (see `chunked.merged`)."""
    split = tl.program_id(1)
    token = tl.program_id(0) * BLOCK_T + tl.arange(0, BLOCK_T)
    present = token < n_tokens
    target = tl.load(targets + token, mask=present, other=-1)
    top = tl.full([BLOCK_T], -1e38, tl.float32)
    total = tl.zeros([BLOCK_T], tl.float32)
    moment = tl.zeros([BLOCK_T], tl.float32)
    chosen = tl.zeros([BLOCK_T], tl.float32)
    begin = split * split_blocks * BLOCK_V
    for start in range(begin, tl.minimum(begin + split_blocks * BLOCK_V, n_vocab), BLOCK_V):
        column = start + tl.arange(0, BLOCK_V)
        logits = _logits(
            hidden, weight, token, column, hidden_token, weight_row, n_tokens, n_vocab, n_embed, inverse_temperature,
            BLOCK_T, BLOCK_V, BLOCK_E, PRECISION,
        )  # fmt: skip
        exists = column[None, :] < n_vocab
        chosen += tl.sum(tl.where(column[None, :] == target[:, None], logits, 0.0), axis=1)
        higher = tl.maximum(top, tl.max(tl.where(exists, logits, -1e38), axis=1))
        fall = top - higher
        below = logits - higher[:, None]
        # masked before the exponential: a 0 from outside may lie far above the row's greatest
        weights = tl.where(exists, tl.exp(tl.where(exists, below, 0.0)), 0.0)
        moment = tl.exp(fall) * (moment + fall * total) + tl.sum(weights * below, axis=1)
        total = tl.exp(fall) * total + tl.sum(weights, axis=1)
        top = higher
    at = split.to(tl.int64) * n_tokens + token
    tl.store(top_out + at, top, mask=present)
    tl.store(total_out + at, total, mask=present)
    tl.store(moment_out + at, moment, mask=present)
    tl.store(chosen_out + at, chosen, mask=present)


@triton.jit
def logit_gradients(
    hidden, weight, targets, lse, mean, d_logprob, d_entropy, out,
    hidden_token, weight_row, n_tokens, n_vocab, n_embed, inverse_temperature,
    BLOCK_T: tl.constexpr, BLOCK_V: tl.constexpr, BLOCK_E: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """out [n_tokens, n_vocab] = (1[target] d_logprob - p (d_logprob + d_entropy (z - mean))) / temperature."""
    token = tl.program_id(0) * BLOCK_T + tl.arange(0, BLOCK_T)
    column = tl.program_id(1) * BLOCK_V + tl.arange(0, BLOCK_V)
    present = token < n_tokens
    logits = _logits(
        hidden, weight, token, column, hidden_token, weight_row, n_tokens, n_vocab, n_embed, inverse_temperature,
        BLOCK_T, BLOCK_V, BLOCK_E, PRECISION,
    )  # fmt: skip
    target = tl.load(targets + token, mask=present, other=-1)
    lse_rows = tl.load(lse + token, mask=present, other=0.0)[:, None]
    mean_rows = tl.load(mean + token, mask=present, other=0.0)[:, None]
    d_logprob_rows = tl.load(d_logprob + token, mask=present, other=0.0)[:, None]
    d_entropy_rows = tl.load(d_entropy + token, mask=present, other=0.0)[:, None]
    exists = present[:, None] & (column[None, :] < n_vocab)
    p = tl.exp(tl.where(exists, logits - lse_rows, 0.0))
    d = tl.where(column[None, :] == target[:, None], d_logprob_rows, 0.0)
    d -= p * (d_logprob_rows + d_entropy_rows * (logits - mean_rows))
    at = out + token.to(tl.int64)[:, None] * n_vocab + column
    tl.store(at, (d * inverse_temperature).to(out.dtype.element_ty), mask=exists)
