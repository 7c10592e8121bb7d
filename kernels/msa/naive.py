"""The specification of MSA: dense scores, a mask, a softmax, and autograd. Memory grows with Tq * Tk.

T tokens, H query heads, K kv heads, G = H / K heads a group, D head dim, N blocks, S = top_k.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.msa.packing import Packing


def select(
    index_q: Tensor, index_k: Tensor, packing: Packing, block_size: int, top_k: int, with_lse: bool
) -> tuple[Tensor, Tensor | None]:
    """block_indices [Tq,K,S] int32 from index_q [Tq,K,Di] and index_k [Tk,Di], and the index branch's [Tq,K] lse."""
    parts = []
    for queries, keys in packing:
        position_T = packing.position_T[queries].long()
        scores_TKJ = _scores(index_q[queries], index_k[keys]).float()
        scores_TKJ = scores_TKJ.masked_fill(_future(position_T, scores_TKJ.shape[-1])[:, None], -torch.inf)
        padding = -scores_TKJ.shape[-1] % block_size
        padded = F.pad(scores_TKJ, (0, padding), value=-torch.inf)
        n_blocks = padded.shape[-1] // block_size
        score_TKN = padded.reshape(*padded.shape[:2], n_blocks, block_size).amax(-1)
        visible_TKN = score_TKN > -torch.inf
        local_TK1 = (position_T // block_size)[:, None, None].expand(-1, score_TKN.shape[1], 1)
        score_TKN = score_TKN.scatter(-1, local_TK1, torch.inf)
        # stable: of equal scores the lowest block comes first
        best = score_TKN.sort(dim=-1, descending=True, stable=True).indices[..., :top_k]
        chosen = best.where(visible_TKN.gather(-1, best), n_blocks).sort(dim=-1).values
        chosen = F.pad(chosen.where(chosen < n_blocks, -1), (0, top_k - chosen.shape[-1]), value=-1)
        parts.append(chosen.int())
    block_indices = torch.cat(parts)
    lse = index_lse(index_q, index_k, block_indices, packing, block_size) if with_lse else None
    return block_indices, lse


def index_lse(index_q: Tensor, index_k: Tensor, block_indices: Tensor, packing: Packing, block_size: int) -> Tensor:
    """log of the sum of exp of the index branch's scores over the chosen blocks' visible tokens: [Tq,K]."""
    parts = []
    for queries, keys in packing:
        scores = _scores(index_q[queries], index_k[keys]) * index_q.shape[-1] ** -0.5
        mask = allowed(block_indices[queries], packing.position_T[queries], scores.shape[-1], block_size)
        parts.append(scores.masked_fill(~mask, -torch.inf).logsumexp(-1))
    return torch.cat(parts)


def attention(
    q: Tensor, k: Tensor, v: Tensor, block_indices: Tensor, packing: Packing, block_size: int, scale: float
) -> tuple[Tensor, Tensor]:
    """(o [Tq,H,D], lse [Tq,H]): softmax over the chosen blocks' visible tokens."""
    outputs, lses = [], []
    for queries, keys in packing:
        scores = _main_scores(
            q[queries], k[keys], block_indices[queries], packing.position_T[queries], block_size, scale
        )
        lse = scores.logsumexp(-1)
        p_TKGJ = torch.exp(scores - lse.masked_fill(lse == -torch.inf, 0.0)[..., None])
        outputs.append(torch.einsum("tkgj,jkd->tkgd", p_TKGJ, v[keys].to(p_TKGJ.dtype)).flatten(1, 2))
        lses.append(lse.flatten(1, 2))
    return torch.cat(outputs).to(q.dtype), torch.cat(lses)


def index_loss(
    q: Tensor, k: Tensor, index_q: Tensor, index_k: Tensor, block_indices: Tensor,
    packing: Packing, block_size: int, scale: float,
) -> Tensor:  # fmt: skip
    """Mean over queries and kv heads of KL(P || P_index), P the group's mean main attention, both over the chosen."""
    total = index_q.new_zeros((), dtype=torch.promote_types(index_q.dtype, torch.float32))
    q, k = q.detach(), k.detach()
    for queries, keys in packing:
        args = block_indices[queries], packing.position_T[queries]
        p_TKJ = _main_scores(q[queries], k[keys], *args, block_size, scale).softmax(-1).mean(2)
        scores = _scores(index_q[queries], index_k[keys]) * index_q.shape[-1] ** -0.5
        mask = allowed(*args, scores.shape[-1], block_size)
        log_index_TKJ = scores.masked_fill(~mask, -torch.inf).log_softmax(-1).masked_fill(~mask, 0.0)
        total = total + (torch.xlogy(p_TKJ, p_TKJ) - p_TKJ * log_index_TKJ).sum()
    return total / max(index_q.shape[0] * index_q.shape[1], 1)


def allowed(block_indices: Tensor, position_T: Tensor, n_keys: int, block_size: int) -> Tensor:
    """mask [T,K,n_keys]: the key lies in a chosen block and not in the query's future."""
    n_blocks = -(-n_keys // block_size)
    inside = (block_indices >= 0) & (block_indices < n_blocks)
    chosen = torch.zeros(*block_indices.shape[:2], n_blocks + 1, dtype=torch.bool, device=block_indices.device)
    chosen.scatter_(-1, block_indices.where(inside, n_blocks).long(), True)
    mask = chosen[..., :-1].repeat_interleave(block_size, -1)[..., :n_keys]
    return mask & ~_future(position_T, n_keys)[:, None]


def _main_scores(
    q: Tensor, k: Tensor, block_indices: Tensor, position_T: Tensor, block_size: int, scale: float
) -> Tensor:
    dtype = torch.promote_types(q.dtype, torch.float32)
    q_TKGD = q.to(dtype).reshape(len(q), k.shape[1], q.shape[1] // k.shape[1], q.shape[2])
    scores_TKGJ = torch.einsum("tkgd,jkd->tkgj", q_TKGD, k.to(dtype)) * scale
    return scores_TKGJ.masked_fill(~allowed(block_indices, position_T, k.shape[0], block_size)[:, :, None], -torch.inf)


def _scores(index_q_TKD: Tensor, index_k_TD: Tensor) -> Tensor:
    dtype = torch.promote_types(index_q_TKD.dtype, torch.float32)
    return torch.einsum("tkd,jd->tkj", index_q_TKD.to(dtype), index_k_TD.to(dtype))


def _future(position_T: Tensor, n_keys: int) -> Tensor:
    return torch.arange(n_keys, device=position_T.device) > position_T[:, None]
