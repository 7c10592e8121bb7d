"""The specification: the recurrence, one token at a time.

B sequences, T tokens, H heads, D head dim. Autograd differentiates it.
"""

from __future__ import annotations

import torch
from torch import Tensor


def recurrent(
    q_BTHD: Tensor, k_BTHD: Tensor, v_BTHD: Tensor, slopes_H: Tensor, state_BHDD: Tensor
) -> tuple[Tensor, Tensor]:
    """S_t = exp(-s) S_(t-1) + k_t^T v_t and o_t = q_t S_t, computed in the state's dtype: o [B,T,H,D] and the last S.

    The token itself has decay 0: it enters with weight 1. There is no 1/sqrt(D).
    """
    dtype = state_BHDD.dtype
    decay_H11 = torch.exp(-slopes_H.to(dtype))[:, None, None]
    outputs = []
    for t in range(q_BTHD.shape[1]):
        q_BHD, k_BHD, v_BHD = (x[:, t].to(dtype) for x in (q_BTHD, k_BTHD, v_BTHD))
        state_BHDD = decay_H11 * state_BHDD + k_BHD[..., :, None] * v_BHD[..., None, :]
        outputs.append((q_BHD[..., None, :] @ state_BHDD).squeeze(-2))
    o_BTHD = torch.stack(outputs, 1) if outputs else q_BTHD.to(dtype)
    return o_BTHD, state_BHDD
