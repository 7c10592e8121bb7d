"""Attention of some queries to some keys, with the log-sum-exp that lets parts over different keys be joined exactly.

softmax over a union of key sets is the average of the parts' outputs, weighted by softmax of their log-sum-exps; so a
prefix that many requests share is read once for all of them, and no page is copied to sit beside another.
"""

from __future__ import annotations

import torch
from torch import Tensor

# R query rows, L keys, H query heads, K kv heads, G = H / K, D head dim, S parts of a row


def attend(q_RHD: Tensor, k_LKD: Tensor, v_LKD: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Every query sees every key -> o [R, K, G, D] (a view), log-sum-exp [R, K, G] in fp32, natural."""
    R, H, D = q_RHD.shape
    K = k_LKD.shape[1]
    # the G heads of a group are rows beside one another: keys are read once a group
    rows = q_RHD.view(R, K, H // K, D).transpose(0, 1).reshape(1, K, -1, D)
    o, lse = _flash(rows, k_LKD.transpose(0, 1)[None], v_LKD.transpose(0, 1)[None], False, scale)
    return o.view(K, R, -1, D).transpose(0, 1), lse.view(K, R, -1).transpose(0, 1)


def attend_causal(q_RHD: Tensor, k_RKD: Tensor, v_RKD: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Query i sees keys 0 to i -> as `attend`."""
    R, H, D = q_RHD.shape
    K = k_RKD.shape[1]
    if q_RHD.device.type != "cpu":
        k_RKD, v_RKD = (x.repeat_interleave(H // K, 1) for x in (k_RKD, v_RKD))
    q, k, v = (x.transpose(0, 1)[None] for x in (q_RHD, k_RKD, v_RKD))
    o, lse = _flash(q, k, v, True, scale)
    return o[0].transpose(0, 1).view(R, K, -1, D), lse[0].transpose(0, 1).view(R, K, -1)


def _flash(q: Tensor, k: Tensor, v: Tensor, causal: bool, scale: float) -> tuple[Tensor, Tensor]:
    if q.device.type == "cpu":
        o, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, causal, scale=scale)
        return o, lse
    o, lse, *_ = torch.ops.aten._scaled_dot_product_efficient_attention(q, k, v, None, True, 0.0, causal, scale=scale)
    return o, lse[..., : q.shape[2]]


def join(o_RSKGD: Tensor, lse_RSKG: Tensor) -> Tensor:
    """Parts to whole -> [R, K, G, D]; a part that is not there has log-sum-exp -inf."""
    weights = lse_RSKG.softmax(1).unsqueeze(-1)
    return (o_RSKGD * weights).sum(1).to(o_RSKGD.dtype)
