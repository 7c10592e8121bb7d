"""The public operations: inputs checked, a path resolved, that path run.

B batch, T tokens, H query heads, K kv heads, G = H / K heads a group, D head dim, Di index head dim, N sequences,
P pages. Queries are the last Tq of Tk keys; packed sequences have B = 1 and cu_seqlens_q and cu_seqlens_k.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kernels.msa import chunked, dense, naive
from kernels.msa.packing import Packing
from kernels.paths import KernelInputError, Path, resolve


class Implementation(Protocol):
    """What chunked and triton_op offer, on the flat token axis."""

    def select(
        self, index_q: Tensor, index_k: Tensor, packing: Packing, block_size: int, top_k: int, with_lse: bool
    ) -> tuple[Tensor, Tensor | None]: ...

    def forward(
        self, q: Tensor, k: Tensor, v: Tensor, block_indices: Tensor, packing: Packing, block_size: int, scale: float
    ) -> tuple[Tensor, Tensor]: ...

    def backward(
        self, d_o: Tensor, q: Tensor, k: Tensor, v: Tensor, o: Tensor, lse: Tensor, block_indices: Tensor,
        packing: Packing, block_size: int, scale: float,
    ) -> tuple[Tensor, Tensor, Tensor]: ...  # fmt: skip

    def index_loss(
        self, q: Tensor, k: Tensor, index_q: Tensor, index_k: Tensor, block_indices: Tensor, lse: Tensor,
        index_lse: Tensor, packing: Packing, block_size: int, scale: float,
    ) -> tuple[Tensor, Tensor, Tensor]: ...  # fmt: skip

    def select_paged(
        self, index_q: Tensor, index_k_pages: Tensor, block_tables: Tensor, seq_lens: Tensor, top_k: int
    ) -> Tensor: ...

    def decode(
        self, q: Tensor, k_pages: Tensor, v_pages: Tensor, block_tables: Tensor, seq_lens: Tensor,
        block_indices: Tensor, scale: float,
    ) -> Tensor: ...  # fmt: skip


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
    _check_index(index_q, index_k)
    _check_blocks(block_size, top_k)
    path = resolve(path, index_q, index_k, cu_seqlens_q, cu_seqlens_k)
    packing = Packing.of(index_q, index_k, cu_seqlens_q, cu_seqlens_k)
    with torch.no_grad():
        chosen, lse = _select(path, _flat(index_q), _flat(index_k), packing, block_size, top_k, with_lse)
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
    _check_qkv(q, k, v)
    _check_blocks(block_size)
    path = resolve(path, q, k, v, block_indices, cu_seqlens_q, cu_seqlens_k)
    packing = Packing.of(q, k, cu_seqlens_q, cu_seqlens_k)
    _check_block_indices(block_indices, q, k, packing, block_size)
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    o, lse = _attend(path, _flat(q), _flat(k), _flat(v), _flat(block_indices), packing, block_size, scale)
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
    _check_qk(q, k)
    _check_index(index_q, index_k)
    _check_blocks(block_size)
    _check_together(q, k, index_q, index_k)
    path = resolve(path, q, k, index_q, index_k, block_indices, lse, index_lse, cu_seqlens_q, cu_seqlens_k)
    packing = Packing.of(q, k, cu_seqlens_q, cu_seqlens_k)
    _check_block_indices(block_indices, q, k, packing, block_size)
    for name, x, shape in (("lse", lse, q.shape[:3]), ("index_lse", index_lse, index_q.shape[:3])):
        if x.shape != shape:
            raise KernelInputError(f"{name} must be {list(shape)}, got {list(x.shape)}")
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    tensors = (_flat(x) for x in (q, k, index_q, index_k, block_indices, lse, index_lse))
    return _index_loss(path, *tensors, packing, block_size, scale)


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
    path: Path | None = None,
) -> MSAOutput:
    """MiniMax Sparse Attention: blocks chosen by the index branch, exact softmax attention over them.

    Where no sequence is longer than top_k * block_size, every visible block is chosen: with path None that is computed
    as dense causal attention and reported as path "dense", unless block choices are replayed or the loss is wanted.

    Args:
        q, k, v, index_q, index_k: as for `sparse_attention` and `select_blocks`.
        block_indices: [B,Tq,K,top_k] choices that were recorded and are now replayed; the index branch only learns.
        index_loss_coeff: factor of `index_loss`; 0: no loss.

    Raises:
        KernelInputError: as `sparse_attention` and `select_blocks`.
    """
    _check_qkv(q, k, v)
    _check_index(index_q, index_k)
    _check_blocks(block_size, top_k)
    _check_together(q, k, index_q, index_k)
    chosen_path = resolve(path, q, k, v, index_q, index_k, block_indices, cu_seqlens_q, cu_seqlens_k)
    packing = Packing.of(q, k, cu_seqlens_q, cu_seqlens_k)
    if block_indices is not None:
        _check_block_indices(block_indices, q, k, packing, block_size)
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
            chosen, index_lse = _select(
                chosen_path, index_q_, index_k_, packing, block_size, top_k, index_loss_coeff != 0
            )
    else:
        chosen = _flat(block_indices)
    o, lse = _attend(chosen_path, q_, k_, v_, chosen, packing, block_size, scale)
    loss = None
    if index_loss_coeff != 0:
        if index_lse is None:
            index_lse = _index_lse(chosen_path, index_q_, index_k_, chosen, packing, block_size)
        args = (q_, k_, index_q_, index_k_, chosen, lse, index_lse)
        loss = index_loss_coeff * _index_loss(chosen_path, *args, packing, block_size, scale)
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
    _check_dtypes(index_q=index_q, index_k_pages=index_k_pages)
    page = index_k_pages.shape[1]
    _check_blocks(page, top_k)
    path = resolve(path, index_q, index_k_pages, block_tables, seq_lens)
    _check_tables(block_tables, seq_lens, index_q.shape[0], *index_k_pages.shape[:2])
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
        return _implementation(path).select_paged(index_q, index_k_pages, block_tables, seq_lens, top_k)


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
    _check_heads(q.shape[1], k_pages.shape[2])
    _check_dtypes(q=q, k_pages=k_pages, v_pages=v_pages)
    N, K, page = q.shape[0], k_pages.shape[2], k_pages.shape[1]
    _check_blocks(page)
    path = resolve(path, q, k_pages, v_pages, block_tables, seq_lens, block_indices)
    _check_tables(block_tables, seq_lens, N, *k_pages.shape[:2])
    if block_indices.dim() != 3 or block_indices.shape[:2] != (N, K) or block_indices.dtype != torch.int32:
        found = f"{block_indices.dtype} {list(block_indices.shape)}"
        raise KernelInputError(f"block_indices must be int32 [{N},{K},top_k], got {found}")
    _check_unique(block_indices, -(-seq_lens // page))
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
    return _implementation(path).decode(q, k_pages, v_pages, block_tables, seq_lens, block_indices, scale)


def _implementation(path: Path) -> Implementation:
    if path == "triton":
        import kernels.msa.triton_op as triton_op

        return triton_op
    return chunked


def _select(
    path: Path, index_q: Tensor, index_k: Tensor, packing: Packing, block_size: int, top_k: int, with_lse: bool
) -> tuple[Tensor, Tensor | None]:
    select = naive.select if path == "naive" else _implementation(path).select
    return select(index_q, index_k, packing, block_size, top_k, with_lse)


def _attend(
    path: Path, q: Tensor, k: Tensor, v: Tensor, block_indices: Tensor, packing: Packing, block_size: int, scale: float
) -> tuple[Tensor, Tensor]:
    if path == "naive":
        o, lse = naive.attention(q, k, v, block_indices, packing, block_size, scale)
        return o, lse.detach()
    args = (q, k, v, block_indices, packing, block_size, scale, _implementation(path))
    o, lse = _SparseAttention.apply(*args)  # type: ignore[no-untyped-call]
    return o, lse


def _index_lse(
    path: Path, index_q: Tensor, index_k: Tensor, block_indices: Tensor, packing: Packing, block_size: int
) -> Tensor:
    """Of replayed choices: attention's own log-sum-exp, with one kv head's keys for all."""
    with torch.no_grad():
        if path == "naive":
            return naive.index_lse(index_q, index_k, block_indices, packing, block_size)
        keys = index_k[:, None].expand(-1, index_q.shape[1], -1)
        scale = index_q.shape[-1] ** -0.5
        _, lse = _implementation(path).forward(index_q, keys, keys, block_indices, packing, block_size, scale)
    return lse


def _index_loss(path: Path, q: Tensor, k: Tensor, index_q: Tensor, index_k: Tensor, *args: Any) -> Tensor:
    if path == "naive":
        block_indices, _, _, packing, block_size, scale = args
        return naive.index_loss(q, k, index_q, index_k, block_indices, packing, block_size, scale)
    args = (index_q, index_k, q.detach(), k.detach(), *args, _implementation(path))
    loss: Tensor = _IndexLoss.apply(*args)  # type: ignore[no-untyped-call]
    return loss


class _SparseAttention(torch.autograd.Function):
    """(q, k, v, block_indices, packing, block size, scale, implementation) -> (o, lse)."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, block_indices: Tensor, *args: Any) -> Any:
        *ctx.args, ctx.implementation = args
        o, lse = ctx.implementation.forward(q, k, v, block_indices, *ctx.args)
        ctx.save_for_backward(q, k, v, o, lse, block_indices)
        ctx.mark_non_differentiable(lse)
        return o, lse

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_o: Tensor, _: Tensor) -> Any:
        return *ctx.implementation.backward(d_o, *ctx.saved_tensors, *ctx.args), *[None] * 5


class _IndexLoss(torch.autograd.Function):
    """The gradients have closed forms that need what the loss needs, so the forward pass makes them."""

    @staticmethod
    def forward(ctx: Any, index_q: Tensor, index_k: Tensor, q: Tensor, k: Tensor, *args: Any) -> Any:
        *rest, implementation = args
        loss, d_index_q, d_index_k = implementation.index_loss(q, k, index_q, index_k, *rest)
        ctx.save_for_backward(d_index_q, d_index_k)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_loss: Tensor) -> Any:
        d_index_q, d_index_k = ctx.saved_tensors
        return d_index_q * d_loss, d_index_k * d_loss, *[None] * 9


def _flat(x: Tensor) -> Tensor:
    return x.flatten(0, 1)


def _pages(pages: Tensor, block_tables: Tensor, n: int, length: int) -> Tensor:
    """The first `length` tokens of sequence n."""
    return pages[block_tables[n, : -(-length // pages.shape[1])].long()].flatten(0, 1)[:length]


def _check_qk(q: Tensor, k: Tensor) -> None:
    if q.dim() != 4 or k.dim() != 4 or q.shape[0] != k.shape[0] or q.shape[-1] != k.shape[-1]:
        raise KernelInputError(f"q and k must be [B,Tq,H,D] and [B,Tk,K,D], got {list(q.shape)} and {list(k.shape)}")
    _check_heads(q.shape[2], k.shape[2])
    _check_dtypes(q=q, k=k)


def _check_qkv(q: Tensor, k: Tensor, v: Tensor) -> None:
    _check_qk(q, k)
    if v.shape != k.shape:
        raise KernelInputError(f"v must have k's shape {list(k.shape)}, got {list(v.shape)}")
    _check_dtypes(q=q, k=k, v=v)


def _check_heads(H: int, K: int) -> None:
    if K == 0 or H == 0 or H % K:
        raise KernelInputError(f"{H} query heads do not divide among {K} kv heads: H must be a multiple of K")


def _check_index(index_q: Tensor, index_k: Tensor) -> None:
    shapes = f"{list(index_q.shape)} and {list(index_k.shape)}"
    fits = index_q.dim() == 4 and index_k.dim() == 3 and index_q.shape[2] > 0
    if not fits or index_q.shape[0] != index_k.shape[0] or index_q.shape[-1] != index_k.shape[-1]:
        raise KernelInputError(f"index_q and index_k must be [B,Tq,K,Di] and [B,Tk,Di], got {shapes}")
    _check_dtypes(index_q=index_q, index_k=index_k)


def _check_together(q: Tensor, k: Tensor, index_q: Tensor, index_k: Tensor) -> None:
    want_q, want_k = [*q.shape[:2], k.shape[2]], list(k.shape[:2])
    if list(index_q.shape[:3]) != want_q or list(index_k.shape[:2]) != want_k:
        raise KernelInputError(
            f"index_q and index_k must be {[*want_q, 'Di']} and {[*want_k, 'Di']} beside q {list(q.shape)} and "
            f"k {list(k.shape)}, got {list(index_q.shape)} and {list(index_k.shape)}"
        )


def _check_dtypes(**tensors: Tensor) -> None:
    if len({x.dtype for x in tensors.values()}) > 1 or not all(x.is_floating_point() for x in tensors.values()):
        found = ", ".join(f"{name} {x.dtype}" for name, x in tensors.items())
        raise KernelInputError(f"{', '.join(tensors)} must share one floating dtype, got {found}")


def _check_blocks(block_size: int, top_k: int = 1) -> None:
    if block_size < 1 or top_k < 1:
        raise KernelInputError(f"block_size and top_k must be at least 1, got {block_size} and {top_k}")


def _check_block_indices(block_indices: Tensor, q: Tensor, k: Tensor, packing: Packing, block_size: int) -> None:
    want = (*q.shape[:2], k.shape[2])
    if block_indices.dim() != 4 or block_indices.shape[:3] != want or block_indices.dtype != torch.int32:
        found = f"{block_indices.dtype} {list(block_indices.shape)}"
        raise KernelInputError(f"block_indices must be int32 {[*want, 'top_k']}, got {found}")
    bounds = packing.block_bounds(block_size)
    counts = torch.tensor(bounds, device=q.device).diff()
    _check_unique(_flat(block_indices), counts[packing.sequence_T])


def _check_unique(block_indices: Tensor, n_blocks: Tensor) -> None:
    """block_indices [T,K,S] lie in -1 .. n_blocks [T] - 1 and name no block twice."""
    ordered = block_indices.sort(-1).values
    twice = (ordered[..., 1:] == ordered[..., :-1]) & (ordered[..., 1:] >= 0)
    fits = (ordered >= -1).all() & (ordered < n_blocks[:, None, None]).all() & ~twice.any()
    _require(fits, "block_indices must be -1 or a block of the sequence, each block once a query and head")


def _check_tables(block_tables: Tensor, seq_lens: Tensor, N: int, P: int, page: int) -> None:
    for name, x, dims in (("block_tables", block_tables, 2), ("seq_lens", seq_lens, 1)):
        if x.dim() != dims or x.shape[0] != N or x.dtype != torch.int32:
            want = f"[{N},max_pages]" if dims == 2 else f"[{N}]"
            raise KernelInputError(f"{name} must be int32 {want}, got {x.dtype} {list(x.shape)}")
    max_pages = block_tables.shape[1]
    fits = (seq_lens >= 0).all() & (seq_lens <= max_pages * page).all()
    _require(fits, f"seq_lens must lie in 0..{max_pages * page}: {max_pages} pages of {page} tokens a sequence")
    used = torch.arange(max_pages, device=seq_lens.device) * page < seq_lens[:, None]
    known = ((block_tables >= 0) & (block_tables < P)) | ~used
    _require(known.all(), f"block_tables must name pages 0..{P - 1} for every block that seq_lens counts")


def _require(condition: Tensor, what: str) -> None:
    """On a GPU the check happens there, without waiting."""
    if condition.is_cuda:
        torch._assert_async(condition, what)
    elif not condition:
        raise KernelInputError(what)
