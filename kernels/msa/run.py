"""Runs a path that was resolved, on inputs that were checked: naive under autograd, the others by rules of their own.

T tokens on one flat axis, H query heads, K kv heads, D head dim, Di index head dim.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kernels.msa import chunked, naive
from kernels.msa.packing import Packing
from kernels.paths import Path


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


def implementation(path: Path) -> Implementation:
    if path == "triton":
        import kernels.msa.triton_op as triton_op

        return triton_op
    return chunked


def select(
    path: Path, index_q: Tensor, index_k: Tensor, packing: Packing, block_size: int, top_k: int, with_lse: bool
) -> tuple[Tensor, Tensor | None]:
    select = naive.select if path == "naive" else implementation(path).select
    return select(index_q, index_k, packing, block_size, top_k, with_lse)


def attend(
    path: Path, q: Tensor, k: Tensor, v: Tensor, block_indices: Tensor, packing: Packing, block_size: int, scale: float
) -> tuple[Tensor, Tensor]:
    if path == "naive":
        o, lse = naive.attention(q, k, v, block_indices, packing, block_size, scale)
        return o, lse.detach()
    args = (q, k, v, block_indices, packing, block_size, scale, implementation(path))
    o, lse = _SparseAttention.apply(*args)  # type: ignore[no-untyped-call]
    return o, lse


def index_lse(
    path: Path, index_q: Tensor, index_k: Tensor, block_indices: Tensor, packing: Packing, block_size: int
) -> Tensor:
    """Of replayed choices: attention's own log-sum-exp, with one kv head's keys for all."""
    with torch.no_grad():
        if path == "naive":
            return naive.index_lse(index_q, index_k, block_indices, packing, block_size)
        keys = index_k[:, None].expand(-1, index_q.shape[1], -1)
        scale = index_q.shape[-1] ** -0.5
        _, lse = implementation(path).forward(index_q, keys, keys, block_indices, packing, block_size, scale)
    return lse


def index_loss(path: Path, q: Tensor, k: Tensor, index_q: Tensor, index_k: Tensor, *args: Any) -> Tensor:
    if path == "naive":
        block_indices, _, _, packing, block_size, scale = args
        return naive.index_loss(q, k, index_q, index_k, block_indices, packing, block_size, scale)
    args = (index_q, index_k, q.detach(), k.detach(), *args, implementation(path))
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
