"""The public operations: inputs checked, a path resolved, that path run.

B batch, T tokens, H heads, D head dim, N sequences, S slots.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from kernels.lightning import naive
from kernels.lightning.chunked import CHUNK, ChunkedLightning
from kernels.paths import KernelInputError, Path, resolve


def lightning_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    slopes: Tensor,
    *,
    initial_state: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
    path: Path | None = None,
) -> tuple[Tensor, Tensor]:
    """Causal linear attention with constant decay (MiniMax-01, arXiv 2501.08313, section 2.2; lightning attention).

        S_t = exp(-s) S_(t-1) + k_t^T v_t,    o_t = q_t S_t

    There is no softmax, no 1/sqrt(D), and the token itself has decay 0.

    Args:
        q, k, v: [B,T,H,D], one dtype, any strides. float16 and bfloat16 are computed with float32 states and sums.
        slopes: [H] float32, the s >= 0 of each head (`decay_slopes`). A constant: it gets no gradient.
        initial_state: [N,H,D,D] float32, rows of k and columns of v; None is zeros.
        cu_seqlens: [N+1] int32 or int64, where each of N packed sequences begins, and T last; B must be 1.
            Sequences may be empty. None: N = B sequences of T tokens.
        path: see `kernels.paths`. Triton takes head dims 16, 32, 64, 128 and 256.

    Returns:
        o [B,T,H,D] in q's dtype and the state [N,H,D,D] after each sequence's last token, float32.
        (float64 inputs have float64 states.) Both are differentiable in q, k, v and initial_state.

    Raises:
        KernelInputError: shapes, dtypes or devices do not fit, or the path cannot take them.
    """
    check_qkv(q, k, v, slopes, "[B,T,H,D]")
    B, T, H, D = q.shape
    N = B if cu_seqlens is None else _check_cu_seqlens(cu_seqlens, B, T)
    path = resolve(path, q, k, v, slopes, initial_state, cu_seqlens)
    dtype = torch.promote_types(q.dtype, torch.float32)
    if initial_state is None:
        initial_state = q.new_zeros(N, H, D, D, dtype=dtype)
    _check_state(initial_state, (N, H, D, D), dtype)

    if path == "triton":
        from kernels.lightning.triton_op import TritonLightning, check_head_dim

        check_head_dim(D)
        if cu_seqlens is None:
            cu_seqlens = torch.arange(B + 1, dtype=torch.int32, device=q.device) * T
        return TritonLightning.apply(q, k, v, slopes, initial_state, cu_seqlens.int(), 0, 0)  # type: ignore[no-any-return, no-untyped-call]
    if cu_seqlens is None:
        return _whole(q, k, v, slopes, initial_state, path)
    bounds = cu_seqlens.tolist()
    parts = [
        _whole(q[:, first:last], k[:, first:last], v[:, first:last], slopes, initial_state[n : n + 1], path)
        for n, (first, last) in enumerate(itertools.pairwise(bounds))
    ]
    return torch.cat([o for o, _ in parts], 1), torch.cat([state for _, state in parts])


def _whole(q: Tensor, k: Tensor, v: Tensor, slopes: Tensor, state: Tensor, path: Path) -> tuple[Tensor, Tensor]:
    """Sequences of one length each."""
    if path == "naive":
        o, state = naive.recurrent(q, k, v, slopes, state)
        return o.to(q.dtype), state
    return ChunkedLightning.apply(q, k, v, slopes, state, CHUNK)  # type: ignore[no-any-return, no-untyped-call]


def lightning_step(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    slopes: Tensor,
    state: Tensor,
    *,
    slots: Tensor | None = None,
    path: Path | None = None,
) -> Tensor:
    """One more token for each of N sequences: what `lightning_attention` does with T = 1, the state kept in place.

    Args:
        q, k, v: [N,H,D], one dtype.
        slopes: [H] float32.
        state: [S,H,D,D], its last two dimensions contiguous; float32 (float64 with float64 inputs). Changed IN PLACE.
        slots: [N] int32 or int64, the row of `state` of each sequence, all different; None: row i for sequence i.
        path: see `kernels.paths`.

    Returns:
        o [N,H,D] in q's dtype. No gradient: this is for decoding.

    Raises:
        KernelInputError: as `lightning_attention`, or gradients are wanted.
    """
    check_qkv(q, k, v, slopes, "[N,H,D]")
    N, H, D = q.shape
    path = resolve(path, q, k, v, slopes, state, slots)
    _check_state(state, (state.shape[0], H, D, D), torch.promote_types(q.dtype, torch.float32))
    if torch.is_grad_enabled() and any(x.requires_grad for x in (q, k, v, state)):
        raise KernelInputError(
            "lightning_step has no gradient: call lightning_attention, or step under torch.no_grad()"
        )
    if state.stride()[-2:] != (D, 1):
        raise KernelInputError(f"state has strides {state.stride()}: its last two dimensions must be contiguous")
    _check_slots(slots, N, state.shape[0])

    if path == "triton":
        from kernels.lightning.triton_op import check_head_dim, step

        check_head_dim(D)
        return step(q, k, v, slopes, state, slots)
    if path == "naive":
        outputs = []
        for n, slot in enumerate(range(N) if slots is None else slots.tolist()):
            row = slice(n, n + 1)
            o, new = naive.recurrent(q[None, row], k[None, row], v[None, row], slopes, state[slot : slot + 1])
            state[slot] = new[0]
            outputs.append(o[0])
        return torch.cat(outputs).to(q.dtype) if outputs else torch.empty_like(q)
    q_, k_, v_ = (x.to(state.dtype) for x in (q, k, v))
    rows = state[:N] if slots is None else state[slots]
    rows.mul_(torch.exp(-slopes.to(state.dtype))[:, None, None])
    rows.addcmul_(k_[..., :, None], v_[..., None, :])
    if slots is not None:
        state[slots] = rows
    return (q_[..., None, :] @ rows).squeeze(-2).to(q.dtype)


def check_qkv(q: Tensor, k: Tensor, v: Tensor, slopes: Tensor, layout: str) -> None:
    """Raises KernelInputError."""
    shapes = {name: tuple(x.shape) for name, x in (("q", q), ("k", k), ("v", v))}
    if q.dim() != layout.count(",") + 1 or len(set(shapes.values())) > 1:
        raise KernelInputError(f"q, k and v must share one shape {layout}, got {shapes}")
    if len({q.dtype, k.dtype, v.dtype}) > 1 or not q.is_floating_point():
        raise KernelInputError(f"q, k and v must share one floating dtype, got {q.dtype}, {k.dtype}, {v.dtype}")
    H = q.shape[-2]
    if slopes.shape != (H,) or slopes.dtype != torch.float32:
        raise KernelInputError(f"slopes must be float32 [{H}] for {H} heads, got {slopes.dtype} {list(slopes.shape)}")
    if slopes.requires_grad:
        raise KernelInputError("slopes are constants and get no gradient: detach them")


def _check_state(state: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    if tuple(state.shape) != shape or state.dtype != dtype:
        raise KernelInputError(f"state must be {dtype} {list(shape)}, got {state.dtype} {list(state.shape)}")


def _check_cu_seqlens(cu_seqlens: Tensor, B: int, T: int) -> int:
    """The number of sequences. On a GPU the values are checked there, without waiting."""
    if B != 1:
        raise KernelInputError(f"cu_seqlens packs sequences along T and wants B = 1, got B = {B}")
    if cu_seqlens.dim() != 1 or cu_seqlens.numel() < 2 or cu_seqlens.dtype not in (torch.int32, torch.int64):
        found = f"{cu_seqlens.dtype} {list(cu_seqlens.shape)}"
        raise KernelInputError(f"cu_seqlens must be int32 or int64 [N+1] with N >= 1, got {found}")
    rises = (cu_seqlens.diff() >= 0).all() & (cu_seqlens[0] == 0) & (cu_seqlens[-1] == T)
    _require(rises, f"cu_seqlens must rise from 0 to T = {T}", cu_seqlens)
    return cu_seqlens.numel() - 1


def _check_slots(slots: Tensor | None, N: int, S: int) -> None:
    if slots is None:
        if N > S:
            raise KernelInputError(f"{N} sequences do not fit a state of {S} rows")
        return
    if slots.shape != (N,) or slots.dtype not in (torch.int32, torch.int64):
        raise KernelInputError(f"slots must be int32 or int64 [{N}], got {slots.dtype} {list(slots.shape)}")
    ordered = slots.sort().values
    fits = ((slots >= 0) & (slots < S)).all() & (ordered[1:] != ordered[:-1]).all()
    _require(fits, f"slots must be different rows of 0..{S - 1}", slots)


def _require(condition: Tensor, what: str, got: Tensor) -> None:
    if condition.is_cuda:
        torch._assert_async(condition, what)
    elif not condition:
        raise KernelInputError(f"{what}, got {got.tolist()}")
