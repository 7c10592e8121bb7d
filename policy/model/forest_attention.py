"""Softmax attention over a forest on a CPU: torch's own kernel for parts of it, the parts joined by their log-sum-exps.

A chain's queries see its own keys, causally, and all keys of the ranges above it: rectangles on the flat axis, so that
no key is copied and no pair masked. Parts over disjoint keys, o_i with log-sum-exps l_i, are o = sum_i e^(l_i - l) o_i,
l = log sum_i e^l_i. A part's gradients follow from o and l of the whole alone, so the backward goes through the same
parts with these, and sums (as FlashAttention does over blocks, arXiv 2205.14135, and ring attention over machines).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kernels.forest import Forest

# T tokens, H query heads, K kv heads, G = H / K heads a group, D head dim

_attend = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_attend_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def forest_attention(q_THD: Tensor, k_TKD: Tensor, v_TKD: Tensor, forest: Forest, scale: float) -> Tensor:
    """[T, H, D]: what each token gets from the tokens of its path, itself the last. On a CPU, of any float dtype."""
    o_THD: Tensor = _ForestAttention.apply(q_THD, k_TKD, v_TKD, forest, scale)  # type: ignore[no-untyped-call]
    return o_THD


def _parts(forest: Forest) -> Iterator[tuple[slice, slice, bool]]:
    """Queries, keys, and whether causal; a chain's own part comes first."""
    for number, (tokens, _, _) in enumerate(forest.chains):
        own = slice(tokens.start, tokens.stop)
        yield own, own, True
        for above in forest.above(number):
            yield own, slice(above.start, above.stop), False


class _ForestAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q_THD: Tensor, k_TKD: Tensor, v_TKD: Tensor, forest: Forest, scale: float) -> Any:
        q_KGTD, k_KGTD, v_KGTD = _grouped(q_THD, k_TKD, v_TKD)
        wide = torch.promote_types(q_THD.dtype, torch.float32)
        o_KGTD = torch.empty(q_KGTD.shape, dtype=wide)
        lse_KGT = torch.empty(q_KGTD.shape[:-1], dtype=wide)
        for queries, keys, causal in _parts(forest):
            o, lse = _attend(q_KGTD[:, :, queries], k_KGTD[:, :, keys], v_KGTD[:, :, keys], 0.0, causal, scale=scale)
            if causal:
                o_KGTD[:, :, queries], lse_KGT[:, :, queries] = o, lse
                continue
            joined = torch.logaddexp(lse_KGT[:, :, queries], lse)
            o_KGTD[:, :, queries] *= (lse_KGT[:, :, queries] - joined).exp_()[..., None]
            o_KGTD[:, :, queries] += o * (lse - joined).exp_()[..., None]
            lse_KGT[:, :, queries] = joined
        o_KGTD = o_KGTD.to(q_THD.dtype)
        ctx.save_for_backward(q_THD, k_TKD, v_TKD, o_KGTD, lse_KGT)
        ctx.forest, ctx.scale = forest, scale
        return _flat(o_KGTD)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_o_THD: Tensor) -> Any:
        q_THD, k_TKD, v_TKD, o_KGTD, lse_KGT = ctx.saved_tensors
        q_KGTD, k_KGTD, v_KGTD = _grouped(q_THD, k_TKD, v_TKD)
        d_o_KGTD = d_o_THD.view(-1, *q_KGTD.shape[:2], q_KGTD.shape[-1]).permute(1, 2, 0, 3)
        d_q, d_k, d_v = (torch.zeros(x.shape, dtype=lse_KGT.dtype) for x in (q_KGTD, k_KGTD[:, :1], v_KGTD[:, :1]))
        for queries, keys, causal in _parts(ctx.forest):
            rows = [x[:, :, queries].contiguous() for x in (d_o_KGTD, q_KGTD, o_KGTD, lse_KGT)]
            d_o, q, o, lse = rows
            part = _attend_backward(
                d_o, q, k_KGTD[:, :, keys], v_KGTD[:, :, keys], o, lse, 0.0, causal, scale=ctx.scale
            )
            d_q[:, :, queries] += part[0]
            d_k[:, :, keys] += part[1].sum(1, keepdim=True, dtype=d_k.dtype)
            d_v[:, :, keys] += part[2].sum(1, keepdim=True, dtype=d_v.dtype)
        return _flat(d_q).to(q_THD), _flat(d_k).to(k_TKD), _flat(d_v).to(v_TKD), None, None


def _grouped(q_THD: Tensor, k_TKD: Tensor, v_TKD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries [K, G, T, D], contiguous; keys and values the same by expansion, each head once in memory."""
    T, H, D = q_THD.shape
    K = k_TKD.shape[1]
    q_KGTD = q_THD.view(T, K, H // K, D).permute(1, 2, 0, 3).contiguous()
    k_KGTD, v_KGTD = (x.transpose(0, 1)[:, None].contiguous().expand_as(q_KGTD) for x in (k_TKD, v_TKD))
    return q_KGTD, k_KGTD, v_KGTD


def _flat(x_KGTD: Tensor) -> Tensor:
    """[T, heads, D]."""
    K, G, T, D = x_KGTD.shape
    return x_KGTD.permute(2, 0, 1, 3).reshape(T, K * G, D)
