"""Exact causal attention, for sequences so short that every visible block would be chosen anyway.

T tokens, H query heads, K kv heads, D head dim.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.msa.packing import Packing


def attention(q: Tensor, k: Tensor, v: Tensor, packing: Packing, scale: float) -> Tensor:
    """o [Tq,H,D]: torch's scaled_dot_product_attention, sequence by sequence."""
    outputs = []
    for queries, keys in packing:
        q_HTD, k_KTD, v_KTD = (x.transpose(0, 1)[None] for x in (q[queries], k[keys], v[keys]))
        prefix = k_KTD.shape[2] - q_HTD.shape[2]
        mask = torch.ones(q_HTD.shape[2], k_KTD.shape[2], dtype=torch.bool, device=q.device).tril(prefix)
        o = F.scaled_dot_product_attention(
            q_HTD, k_KTD, v_KTD, attn_mask=mask if prefix else None, is_causal=not prefix, scale=scale, enable_gqa=True
        )
        outputs.append(o[0].transpose(0, 1))
    return torch.cat(outputs)


def visible_blocks(packing: Packing, n_heads: int, block_size: int, top_k: int) -> Tensor:
    """block_indices [Tq,K,top_k] int32 of all that each query sees."""
    block = torch.arange(top_k, dtype=torch.int32, device=packing.position_T.device)
    local_T1 = (packing.position_T // block_size)[:, None]
    return block.where(block <= local_T1, -1)[:, None].repeat(1, n_heads, 1)
