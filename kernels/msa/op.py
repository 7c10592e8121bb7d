"""The public operations: inputs checked, a path resolved, that path run.

B batch, T tokens, H query heads, K kv heads, G = H / K heads a group, D head dim, Di index head dim, N sequences,
P pages. Queries are the last Tq of Tk keys; packed sequences have B = 1 and cu_seqlens_q and cu_seqlens_k.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kernels.msa import dense, run
from kernels.msa.checks import (
    check_block_indices,
    check_blocks,
    check_dtypes,
    check_heads,
    check_index,
    check_qk,
    check_qkv,
    check_tables,
    check_together,
    check_unique,
)
from kernels.msa.packing import Packing
from kernels.paths import KernelInputError, Path, resolve


def select_blocks(
    index_q: Tensor,
    index_k: Tensor,
    *,
    block_size: int,
    top_k: int,
    cu_seqlens_q: Tensor | None = None,
    cu_seqlens_k: Tensor | None = None,
    with_lse: bool = False,
    path: Path | None = None,
) -> tuple[Tensor, Tensor | None]:
    """The blocks of keys that each query of each kv head attends to (MiniMax Sparse Attention, arXiv 2606.13392).

    A block's score is the greatest index_q . index_k over its tokens that the query may see, in float32. The top_k
    blocks are those of the greatest scores, the query's own block always among them; equal scores go to the lowest.

    Args:
        index_q: [B,Tq,K,Di], one index head a kv head.
        index_k: [B,Tk,Di], shared by all of them.
        block_size: keys a block. Blocks count from the first key of each sequence.
        top_k: blocks a query, its own included.
        with_lse: also return the log of the sum of exp(index_q . index_k / sqrt(Di)) over the chosen blocks' visible
            tokens, which `index_loss` wants.

    Returns:
        block_indices [B,Tq,K,top_k] int32: ascending, so that the query's own block is the last, and padded with -1
        behind it; index_lse [B,Tq,K] float32 (float64 of float64), or None. Neither has a gradient.

    Raises:
        KernelInputError: shapes, dtypes or devices do not fit, or the path cannot take them.
    """
    check_index(index_q, index_k)
    check_blocks(block_size, top_k)
    path = resolve(path, index_q, index_k, cu_seqlens_q, cu_seqlens_k)
    packing = Packing.of(index_q, index_k, cu_seqlens_q, cu_seqlens_k)
    with torch.no_grad():
        chosen, lse = run.select(path, _flat(index_q), _flat(index_k), packing, block_size, top_k, with_lse)
    shape = index_q.shape[:3]
    return chosen.view(*shape, top_k), None if lse is None else lse.view(shape)


def sparse_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    block_indices: Tensor,
    *,
    block_size: int,
    scale: float | None = None,
    cu_seqlens_q: Tensor | None = None,
    cu_seqlens_k: Tensor | None = None,
    path: Path | None = None,
) -> tuple[Tensor, Tensor]:
    """Softmax attention of each query over the tokens of its chosen blocks that are not in its future.

    Args:
        q, k, v: [B,Tq,H,D], [B,Tk,K,D], [B,Tk,K,D], one dtype; head h reads kv head h // (H / K).
        block_indices: [B,Tq,K,S] int32: block numbers of the sequence in any order, each once; -1 is none.
        scale: of the scores; None: 1 / sqrt(D).

    Returns:
        o [B,Tq,H,D] in q's dtype, differentiable in q, k and v, and the natural log-sum-exp [B,Tq,H] of the scores,
        float32 (float64 of float64), without gradient. A query that sees nothing has o = 0 and lse = -inf.

    Raises:
        KernelInputError: shapes, dtypes, devices or block numbers do not fit, or the path cannot take them.
    """
    check_qkv(q, k, v)
    check_blocks(block_size)
    path = resolve(path, q, k, v, block_indices, cu_seqlens_q, cu_seqlens_k)
    packing = Packing.of(q, k, cu_seqlens_q, cu_seqlens_k)
    check_block_indices(block_indices, q, k, packing, block_size)
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    o, lse = run.attend(path, _flat(q), _flat(k), _flat(v), _flat(block_indices), packing, block_size, scale)
    return o.view(q.shape), lse.view(q.shape[:3])


def index_loss(
    q: Tensor,
    k: Tensor,
    index_q: Tensor,
    index_k: Tensor,
    block_indices: Tensor,
    lse: Tensor,
    index_lse: Tensor,
    *,
    block_size: int,
    scale: float | None = None,
    cu_seqlens_q: Tensor | None = None,
    cu_seqlens_k: Tensor | None = None,
    path: Path | None = None,
) -> Tensor:
    """What teaches the index branch to find the blocks that the main branch attends to: KL(P || P_index).

    For each query and kv head, over the visible tokens of its chosen blocks: P is the mean of the group's attention
    probabilities, a constant, and P_index the softmax of index_q . index_k / sqrt(Di). The mean over B, Tq and K.

    Args:
        lse: [B,Tq,H], from `sparse_attention` with the same block_indices.
        index_lse: [B,Tq,K], from `select_blocks(..., with_lse=True)`.
        (others as there)

    Returns:
        a scalar, float32 (float64 of float64), with gradients in index_q and index_k alone.
    """
    check_qk(q, k)
    check_index(index_q, index_k)
    check_blocks(block_size)
    check_together(q, k, index_q, index_k)
    path = resolve(path, q, k, index_q, index_k, block_indices, lse, index_lse, cu_seqlens_q, cu_seqlens_k)
    packing = Packing.of(q, k, cu_seqlens_q, cu_seqlens_k)
    check_block_indices(block_indices, q, k, packing, block_size)
    for name, x, shape in (("lse", lse, q.shape[:3]), ("index_lse", index_lse, index_q.shape[:3])):
        if x.shape != shape:
            raise KernelInputError(f"{name} must be {list(shape)}, got {list(x.shape)}")
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    tensors = (_flat(x) for x in (q, k, index_q, index_k, block_indices, lse, index_lse))
    return run.index_loss(path, *tensors, packing, block_size, scale)


@dataclass(frozen=True, slots=True)
class MSAOutput:
    """What `msa_attention` returns."""

    o: Tensor
    """[B,Tq,H,D] in q's dtype."""
    block_indices: Tensor
    """[B,Tq,K,top_k] int32, as `select_blocks` returns them, or those that were replayed."""
    index_loss: Tensor | None
    """A scalar, times its coefficient; None without one."""
    path: str
    """What ran: naive, chunked, triton, or dense."""


def msa_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    index_q: Tensor,
    index_k: Tensor,
    *,
    block_size: int,
    top_k: int,
    block_indices: Tensor | None = None,
    index_loss_coeff: float = 0.0,
    cu_seqlens_q: Tensor | None = None,
    cu_seqlens_k: Tensor | None = None,
    shared_blocks: Tensor | None = None,
    path: Path | None = None,
) -> MSAOutput:
    """MiniMax Sparse Attention: blocks chosen by the index branch, exact softmax attention over them.

    Where no sequence is longer than top_k * block_size, every visible block is chosen: with path None that is computed
    as dense causal attention and reported as path "dense", unless block choices are replayed or the loss is wanted.

    Args:
        q, k, v, index_q, index_k: as for `sparse_attention` and `select_blocks`.
        block_indices: [B,Tq,K,top_k] choices that were recorded and are now replayed; the index branch only learns.
        index_loss_coeff: factor of `index_loss`; 0: no loss.
        shared_blocks: int64, one a block of all sequences, counted through: the first whole block that holds the same
            keys, values and index keys as it, where sequences begin alike; else its own number. The chunked path then
            visits such blocks once, and their gradient lies at the first one's keys.

    Raises:
        KernelInputError: as `sparse_attention` and `select_blocks`.
    """
    check_qkv(q, k, v)
    check_index(index_q, index_k)
    check_blocks(block_size, top_k)
    check_together(q, k, index_q, index_k)
    chosen_path = resolve(path, q, k, v, index_q, index_k, block_indices, cu_seqlens_q, cu_seqlens_k)
    packing = Packing.of(q, k, cu_seqlens_q, cu_seqlens_k, shared_blocks)
    if shared_blocks is not None and len(shared_blocks) != (n := packing.block_bounds(block_size)[-1]):
        raise KernelInputError(
            f"shared_blocks has {len(shared_blocks)} entries and there are {n} blocks: give one each"
        )
    if block_indices is not None:
        check_block_indices(block_indices, q, k, packing, block_size)
    scale = q.shape[-1] ** -0.5
    shape = (*index_q.shape[:3], top_k if block_indices is None else block_indices.shape[-1])
    q_, k_, v_, index_q_, index_k_ = (_flat(x) for x in (q, k, v, index_q, index_k))

    exact = packing.longest <= top_k * block_size and block_indices is None and index_loss_coeff == 0
    if exact and path is None:
        o = dense.attention(q_, k_, v_, packing, scale)
        visible = dense.visible_blocks(packing, k.shape[2], block_size, top_k)
        return MSAOutput(o.view(q.shape), visible.view(shape), None, "dense")

    if chosen_path == "triton":
        from kernels.msa.triton_op import check

        check(block_size, q.shape[-1], index_q.shape[-1])
    index_lse = None
    if block_indices is None:
        with torch.no_grad():
            chosen, index_lse = run.select(
                chosen_path, index_q_, index_k_, packing, block_size, top_k, index_loss_coeff != 0
            )
    else:
        chosen = _flat(block_indices)
    o, lse = run.attend(chosen_path, q_, k_, v_, chosen, packing, block_size, scale)
    loss = None
    if index_loss_coeff != 0:
        if index_lse is None:
            index_lse = run.index_lse(chosen_path, index_q_, index_k_, chosen, packing, block_size)
        args = (q_, k_, index_q_, index_k_, chosen, lse, index_lse)
        loss = index_loss_coeff * run.index_loss(chosen_path, *args, packing, block_size, scale)
    return MSAOutput(o.view(q.shape), chosen.view(shape), loss, chosen_path)


def select_blocks_paged(
    index_q: Tensor,
    index_k_pages: Tensor,
    block_tables: Tensor,
    seq_lens: Tensor,
    *,
    top_k: int,
    path: Path | None = None,
) -> Tensor:
    """`select_blocks` for one query at the end of each sequence, its index keys in pages of one block each.

    Args:
        index_q: [N,K,Di].
        index_k_pages: [P,page,Di].
        block_tables: [N,max_pages] int32, the page of each block; what lies behind a sequence's last is not read.
        seq_lens: [N] int32, tokens that each sequence has, the query's own among them; 0: a place without a sequence.

    Returns:
        block_indices [N,K,top_k] int32: blocks of the sequence, not pages.
    """
    if index_q.dim() != 3 or index_k_pages.dim() != 3 or index_q.shape[-1] != index_k_pages.shape[-1]:
        found = f"{list(index_q.shape)} and {list(index_k_pages.shape)}"
        raise KernelInputError(f"index_q and index_k_pages must be [N,K,Di] and [P,page,Di], got {found}")
    check_dtypes(index_q=index_q, index_k_pages=index_k_pages)
    page = index_k_pages.shape[1]
    check_blocks(page, top_k)
    path = resolve(path, index_q, index_k_pages, block_tables, seq_lens)
    check_tables(block_tables, seq_lens, index_q.shape[0], *index_k_pages.shape[:2])
    with torch.no_grad():
        if path == "naive":
            choices = []
            for n, length in enumerate(seq_lens.tolist()):
                keys = _pages(index_k_pages, block_tables, n, length)
                row, _ = select_blocks(
                    index_q[None, n : n + 1][:, : min(length, 1)], keys[None], block_size=page, top_k=top_k, path=path
                )
                choices.append(row[0, 0] if length else row.new_full(row.shape[2:], -1))
            return torch.stack(choices) if choices else block_tables.new_empty(0, index_q.shape[1], top_k)
        return run.implementation(path).select_paged(index_q, index_k_pages, block_tables, seq_lens, top_k)


def msa_decode(
    q: Tensor,
    k_pages: Tensor,
    v_pages: Tensor,
    block_tables: Tensor,
    seq_lens: Tensor,
    block_indices: Tensor,
    *,
    scale: float | None = None,
    path: Path | None = None,
) -> Tensor:
    """`sparse_attention` for one query at the end of each sequence, keys and values in pages of one block each.

    Args:
        q: [N,H,D].
        k_pages, v_pages: [P,page,K,D]. What lies behind a sequence's end may be anything.
        block_tables, seq_lens: as for `select_blocks_paged`.
        block_indices: [N,K,S] int32, from there.

    Returns:
        o [N,H,D] in q's dtype; zeros where seq_lens is 0. No gradient: this is for decoding.
    """
    if q.dim() != 3 or k_pages.dim() != 4 or k_pages.shape != v_pages.shape or q.shape[-1] != k_pages.shape[-1]:
        found = f"{list(q.shape)}, {list(k_pages.shape)} and {list(v_pages.shape)}"
        raise KernelInputError(f"q, k_pages and v_pages must be [N,H,D], [P,page,K,D] and the same, got {found}")
    check_heads(q.shape[1], k_pages.shape[2])
    check_dtypes(q=q, k_pages=k_pages, v_pages=v_pages)
    N, K, page = q.shape[0], k_pages.shape[2], k_pages.shape[1]
    check_blocks(page)
    path = resolve(path, q, k_pages, v_pages, block_tables, seq_lens, block_indices)
    check_tables(block_tables, seq_lens, N, *k_pages.shape[:2])
    if block_indices.dim() != 3 or block_indices.shape[:2] != (N, K) or block_indices.dtype != torch.int32:
        found = f"{block_indices.dtype} {list(block_indices.shape)}"
        raise KernelInputError(f"block_indices must be int32 [{N},{K},top_k], got {found}")
    check_unique(block_indices, -(-seq_lens // page))
    if torch.is_grad_enabled() and any(x.requires_grad for x in (q, k_pages, v_pages)):
        raise KernelInputError("msa_decode has no gradient: call sparse_attention, or decode under torch.no_grad()")
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    if path == "naive":
        rows = []
        for n, length in enumerate(seq_lens.tolist()):
            keys, values = (_pages(pages, block_tables, n, length)[None] for pages in (k_pages, v_pages))
            args = (q[None, n : n + 1][:, : min(length, 1)], keys, values, block_indices[None, n : n + 1])
            row, _ = sparse_attention(*args[:3], args[3][:, : min(length, 1)], block_size=page, scale=scale, path=path)
            rows.append(row[0, 0] if length else torch.zeros_like(q[n]))
        return torch.stack(rows) if rows else torch.empty_like(q)
    return run.implementation(path).decode(q, k_pages, v_pages, block_tables, seq_lens, block_indices, scale)


def _flat(x: Tensor) -> Tensor:
    return x.flatten(0, 1)


def _pages(pages: Tensor, block_tables: Tensor, n: int, length: int) -> Tensor:
    """The first `length` tokens of sequence n."""
    return pages[block_tables[n, : -(-length // pages.shape[1])].long()].flatten(0, 1)[:length]
