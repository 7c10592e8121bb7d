"""Bad input to the public operations, in one line: what was found and what is wanted."""

from __future__ import annotations

import torch
from torch import Tensor

from kernels.msa.packing import Packing
from kernels.paths import KernelInputError


def check_qk(q: Tensor, k: Tensor) -> None:
    if q.dim() != 4 or k.dim() != 4 or q.shape[0] != k.shape[0] or q.shape[-1] != k.shape[-1]:
        raise KernelInputError(f"q and k must be [B,Tq,H,D] and [B,Tk,K,D], got {list(q.shape)} and {list(k.shape)}")
    check_heads(q.shape[2], k.shape[2])
    check_dtypes(q=q, k=k)


def check_qkv(q: Tensor, k: Tensor, v: Tensor) -> None:
    check_qk(q, k)
    if v.shape != k.shape:
        raise KernelInputError(f"v must have k's shape {list(k.shape)}, got {list(v.shape)}")
    check_dtypes(q=q, k=k, v=v)


def check_heads(H: int, K: int) -> None:
    if K == 0 or H == 0 or H % K:
        raise KernelInputError(f"{H} query heads do not divide among {K} kv heads: H must be a multiple of K")


def check_index(index_q: Tensor, index_k: Tensor) -> None:
    shapes = f"{list(index_q.shape)} and {list(index_k.shape)}"
    fits = index_q.dim() == 4 and index_k.dim() == 3 and index_q.shape[2] > 0
    if not fits or index_q.shape[0] != index_k.shape[0] or index_q.shape[-1] != index_k.shape[-1]:
        raise KernelInputError(f"index_q and index_k must be [B,Tq,K,Di] and [B,Tk,Di], got {shapes}")
    check_dtypes(index_q=index_q, index_k=index_k)


def check_together(q: Tensor, k: Tensor, index_q: Tensor, index_k: Tensor) -> None:
    want_q, want_k = [*q.shape[:2], k.shape[2]], list(k.shape[:2])
    if list(index_q.shape[:3]) != want_q or list(index_k.shape[:2]) != want_k:
        raise KernelInputError(
            f"index_q and index_k must be {[*want_q, 'Di']} and {[*want_k, 'Di']} beside q {list(q.shape)} and "
            f"k {list(k.shape)}, got {list(index_q.shape)} and {list(index_k.shape)}"
        )


def check_dtypes(**tensors: Tensor) -> None:
    if len({x.dtype for x in tensors.values()}) > 1 or not all(x.is_floating_point() for x in tensors.values()):
        found = ", ".join(f"{name} {x.dtype}" for name, x in tensors.items())
        raise KernelInputError(f"{', '.join(tensors)} must share one floating dtype, got {found}")


def check_blocks(block_size: int, top_k: int = 1) -> None:
    if block_size < 1 or top_k < 1:
        raise KernelInputError(f"block_size and top_k must be at least 1, got {block_size} and {top_k}")


def check_block_indices(block_indices: Tensor, q: Tensor, k: Tensor, packing: Packing, block_size: int) -> None:
    want = (*q.shape[:2], k.shape[2])
    if block_indices.dim() != 4 or block_indices.shape[:3] != want or block_indices.dtype != torch.int32:
        found = f"{block_indices.dtype} {list(block_indices.shape)}"
        raise KernelInputError(f"block_indices must be int32 {[*want, 'top_k']}, got {found}")
    bounds = packing.block_bounds(block_size)
    counts = torch.tensor(bounds, device=q.device).diff()
    check_unique(block_indices.flatten(0, 1), counts[packing.sequence_T])


def check_unique(block_indices: Tensor, n_blocks: Tensor) -> None:
    """block_indices [T,K,S] lie in -1 .. n_blocks [T] - 1 and name no block twice."""
    ordered = block_indices.sort(-1).values
    twice = (ordered[..., 1:] == ordered[..., :-1]) & (ordered[..., 1:] >= 0)
    fits = (ordered >= -1).all() & (ordered < n_blocks[:, None, None]).all() & ~twice.any()
    require(fits, "block_indices must be -1 or a block of the sequence, each block once a query and head")


def check_tables(block_tables: Tensor, seq_lens: Tensor, N: int, P: int, page: int) -> None:
    for name, x, dims in (("block_tables", block_tables, 2), ("seq_lens", seq_lens, 1)):
        if x.dim() != dims or x.shape[0] != N or x.dtype != torch.int32:
            want = f"[{N},max_pages]" if dims == 2 else f"[{N}]"
            raise KernelInputError(f"{name} must be int32 {want}, got {x.dtype} {list(x.shape)}")
    max_pages = block_tables.shape[1]
    fits = (seq_lens >= 0).all() & (seq_lens <= max_pages * page).all()
    require(fits, f"seq_lens must lie in 0..{max_pages * page}: {max_pages} pages of {page} tokens a sequence")
    used = torch.arange(max_pages, device=seq_lens.device) * page < seq_lens[:, None]
    known = ((block_tables >= 0) & (block_tables < P)) | ~used
    require(known.all(), f"block_tables must name pages 0..{P - 1} for every block that seq_lens counts")


def require(condition: Tensor, what: str) -> None:
    """On a GPU the check happens there, without waiting."""
    if condition.is_cuda:
        torch._assert_async(condition, what)
    elif not condition:
        raise KernelInputError(what)
