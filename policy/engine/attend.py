"""Attention of some queries to some keys, with the log-sum-exp that lets parts over different keys be joined exactly.

softmax over a union of key sets is the average of the parts' outputs, weighted by softmax of their log-sum-exps; so a
prefix that many requests share is read once for all of them, and no page is copied to sit beside another.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

# R query rows, L keys, H query heads, K kv heads, G = H / K, D head dim, S parts of a row


def attend(q_RKGD: Tensor, k_1KLD: Tensor, v_1KLD: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Every query sees every key -> o [R, K, G, D] (a view), log-sum-exp [R, K, G] in fp32, natural."""
    R, K, G, D = q_RKGD.shape
    # the G heads of a group are rows beside one another: keys are read once a group
    rows = q_RKGD.transpose(0, 1).reshape(1, K, R * G, D)
    o, lse = _flash(rows, k_1KLD, v_1KLD, False, scale)
    return o.view(K, R, G, D).transpose(0, 1), lse.view(K, R, G).transpose(0, 1)


def attend_rows(
    q_TKGD: Tensor, k_1KLD: Tensor, v_1KLD: Tensor, runs: Sequence[tuple[int, int, int]], scale: float
) -> list[tuple[Tensor, Tensor]]:
    """`attend` for many rows that each see a run of their own: (row, first key, number of keys).

    A decode step is mostly this loop, so it does nothing else.
    """
    if not runs:
        return []
    rows = torch.split(q_TKGD[: max(row for row, *_ in runs) + 1], 1)
    if q_TKGD.device.type != "cpu":
        narrowed = ((rows[row], k_1KLD.narrow(2, at, n), v_1KLD.narrow(2, at, n)) for row, at, n in runs)
        return [_flash(q, k, v, False, scale) for q, k, v in narrowed]
    return [
        _cpu_flash(rows[row], k_1KLD.narrow(2, at, n), v_1KLD.narrow(2, at, n), 0.0, False, scale=scale)
        for row, at, n in runs
    ]


def attend_causal(q_RKGD: Tensor, k_RKD: Tensor, v_RKD: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Query i sees keys 0 to i -> as `attend`."""
    R, K, G, D = q_RKGD.shape
    if q_RKGD.device.type != "cpu":
        k_RKD, v_RKD = (x.repeat_interleave(G, 1) for x in (k_RKD, v_RKD))
    q, k, v = (x.transpose(0, 1)[None] for x in (q_RKGD.flatten(1, 2), k_RKD, v_RKD))
    o, lse = _flash(q, k, v, True, scale)
    return o[0].transpose(0, 1).view(R, K, G, D), lse[0].transpose(0, 1).view(R, K, G)


def _flash(q: Tensor, k: Tensor, v: Tensor, causal: bool, scale: float) -> tuple[Tensor, Tensor]:
    """q [1, h, R, D], k and v [1, h', L, D]; on a CPU h may be a multiple of h'."""
    if q.device.type == "cpu":
        o, lse = _cpu_flash(q, k, v, 0.0, causal, scale=scale)
        return o, lse
    o, lse, *_ = torch.ops.aten._scaled_dot_product_efficient_attention(q, k, v, None, True, 0.0, causal, scale=scale)
    return o, lse[..., : q.shape[2]]


# the overload itself, since the search for it costs as much as a small call
_cpu_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default


def join(o_RSKGD: Tensor, lse_RSKG: Tensor) -> Tensor:
    """Parts to whole -> [R, K, G, D]; a part that is not there has log-sum-exp -inf."""
    weights = lse_RSKG.softmax(1).unsqueeze(-1)
    return (o_RSKGD * weights).sum(1).to(o_RSKGD.dtype)
