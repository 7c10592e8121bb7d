"""MSA in torch, on any device, with bounded memory: nothing of the size Tq * Tk exists.

Scores of the index branch are made for a few queries at a time. Attention goes block after block over the queries that
visit it (visits.py): keys and values are read where they lie and each product is one matrix product, a softmax being
carried along for every query. The sums have a fixed order.

T tokens, H query heads, K kv heads, G = H / K heads a group, D head dim, n queries that visit a block with h of the kv
heads, J its keys.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.msa.packing import Packing
from kernels.msa.visits import Visits

SCORES = 4 * 2**20
"""Scores that are in memory at a time."""


def select(
    index_q: Tensor, index_k: Tensor, packing: Packing, block_size: int, top_k: int, with_lse: bool
) -> tuple[Tensor, Tensor | None]:
    """As naive.select."""
    T, K, dim = index_q.shape
    dtype = torch.promote_types(index_q.dtype, torch.float32)
    block_indices = torch.full((T, K, top_k), -1, dtype=torch.int32, device=index_q.device)
    lse = index_q.new_empty(T, K, dtype=dtype) if with_lse else None
    for queries, keys in packing:
        index_k_JD = F.pad(index_k[keys].to(dtype), (0, 0, 0, -(keys.stop - keys.start) % block_size))
        first, ahead = queries.start, (keys.stop - keys.start) - queries.stop
        while first < queries.stop:
            # more queries at a time where fewer keys are visible: n (older + n) scores a head
            older = first + ahead + block_size
            n = (math.isqrt(older * older + 4 * SCORES // K) - older) // 2
            last = min(first + max(n, 1), queries.stop)
            n_keys = _up(last + ahead, block_size)
            part = slice(first, last)
            scores = index_q[part].to(dtype).flatten(0, 1) @ index_k_JD[:n_keys].T
            choice, choice_lse = _choose(
                scores.view(last - first, K, -1, block_size), packing.position_T[part], top_k, dim**-0.5, with_lse
            )
            block_indices[part, :, : choice.shape[-1]] = choice
            if lse is not None and choice_lse is not None:
                lse[part] = choice_lse
            first = last
    return block_indices, lse


def _choose(
    scores_TKNJ: Tensor, position_T: Tensor, top_k: int, scale: float, with_lse: bool
) -> tuple[Tensor, Tensor | None]:
    n_blocks, block_size = scores_TKNJ.shape[-2:]
    first_visible = int(position_T[0]) + 1  # of the earliest query; every later key is somebody's future
    diagonal = scores_TKNJ[:, :, first_visible // block_size :]
    key_NJ = torch.arange(n_blocks * block_size, device=position_T.device).view(n_blocks, block_size)
    diagonal.masked_fill_(
        (key_NJ[first_visible // block_size :] > position_T[:, None, None])[:, None], -torch.inf
    )  # fmt: skip
    score_TKN = scores_TKNJ.amax(-1)
    best = top_keys(score_TKN.float(), (position_T // block_size)[:, None], top_k)
    lse = None
    if with_lse:
        mass_TKN = scores_TKNJ.mul_(scale).logsumexp(-1)
        lse = mass_TKN.gather(-1, best.clamp(min=0)).masked_fill(best < 0, -torch.inf).logsumexp(-1)
    return best.int(), lse


def top_keys(score: Tensor, local: Tensor, top_k: int) -> Tensor:
    """The top_k of score [...,N] float32 with the local block [...] among them, as ascending int64 ids padded with -1.

    A score's bits, turned so that they rise with it, go above the block's number counted down: keys differ, the greater
    is chosen, and equal scores go to the lowest block.
    """
    n_blocks = score.shape[-1]
    block = torch.arange(n_blocks, device=score.device)
    bits = (score + 0.0).view(torch.int32)  # + 0.0: -0.0 equals 0.0
    ordered = bits.where(bits >= 0, bits ^ 0x7FFFFFFF)
    ordered = ordered.masked_fill(block == local[..., None], 0x7FFFFFFF)
    keys = (ordered.long() << 32) | (n_blocks - 1 - block)
    keys = keys.masked_fill((block > local[..., None]), torch.iinfo(torch.int64).min)
    best = keys.topk(min(top_k, n_blocks), sorted=False).values
    ids = (n_blocks - 1 - (best & 0xFFFFFFFF)).where(best != torch.iinfo(torch.int64).min, n_blocks).sort().values
    return ids.where(ids < n_blocks, -1)


def forward(
    q: Tensor, k: Tensor, v: Tensor, block_indices: Tensor, packing: Packing, block_size: int, scale: float
) -> tuple[Tensor, Tensor]:
    """(o [Tq,H,D], lse [Tq,H]); queries that see nothing get zeros and -inf."""
    q_KTGD, k_KJD, v_KJD = _by_group(q, k.shape[1]), _by_head(k), _by_head(v)
    o_KTGD = torch.zeros_like(q_KTGD)
    max_KTG = torch.full_like(q_KTGD[..., 0], -torch.inf)
    sum_KTG = torch.zeros_like(max_KTG)
    visits = Visits.of(block_indices, packing, block_size, packing.shared_blocks)
    for heads, keys, queries, position in visits(packing, block_size, _queries(q_KTGD, block_size)):
        scores_hnGJ = _scores(q_KTGD[heads, queries], k_KJD[heads, keys], packing, queries, position, scale)
        highest_hnG = max_KTG[heads, queries]
        new_hnG = torch.maximum(highest_hnG, scores_hnGJ.amax(-1))
        p_hnGJ = scores_hnGJ.sub_(new_hnG[..., None]).exp_()
        decay_hnG = torch.exp(highest_hnG - new_hnG)
        max_KTG[heads, queries] = new_hnG
        sum_KTG[heads, queries] = sum_KTG[heads, queries] * decay_hnG + p_hnGJ.sum(-1)
        o_KTGD[heads, queries] = o_KTGD[heads, queries] * decay_hnG[..., None] + _times(p_hnGJ, v_KJD[heads, keys])
    o_KTGD /= sum_KTG.masked_fill(sum_KTG == 0, 1.0)[..., None]
    lse_KTG = max_KTG + sum_KTG.log()
    return o_KTGD.transpose(0, 1).flatten(1, 2).to(q.dtype), lse_KTG.transpose(0, 1).flatten(1, 2)


def backward(
    d_o: Tensor, q: Tensor, k: Tensor, v: Tensor, o: Tensor, lse: Tensor, block_indices: Tensor,
    packing: Packing, block_size: int, scale: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """(d_q, d_k, d_v)."""
    K = k.shape[1]
    q_KTGD, d_o_KTGD = _by_group(q, K), _by_group(d_o, K)
    lse_KTG = _by_group(lse[..., None], K)[..., 0]
    delta_KTG = (_by_group(o, K) * d_o_KTGD).sum(-1)
    k_KJD, v_KJD = _by_head(k), _by_head(v)
    d_q_KTGD, d_k_KJD, d_v_KJD = torch.zeros_like(q_KTGD), torch.zeros_like(k_KJD), torch.zeros_like(v_KJD)
    visits = Visits.of(block_indices, packing, block_size, packing.shared_blocks)
    for heads, keys, queries, position in visits(packing, block_size, _queries(q_KTGD, block_size)):
        q_hnGD, d_o_hnGD = q_KTGD[heads, queries], d_o_KTGD[heads, queries]
        scores_hnGJ = _scores(q_hnGD, k_KJD[heads, keys], packing, queries, position, scale)
        p_hnGJ = scores_hnGJ.sub_(lse_KTG[heads, queries][..., None]).exp_()
        d_v_KJD[heads, keys] += p_hnGJ.flatten(1, 2).mT @ d_o_hnGD.flatten(1, 2)
        d_p_hnGJ = _times(d_o_hnGD, v_KJD[heads, keys].mT)
        d_scores_hnGJ = d_p_hnGJ.sub_(delta_KTG[heads, queries][..., None]).mul_(p_hnGJ).mul_(scale)
        d_k_KJD[heads, keys] += d_scores_hnGJ.flatten(1, 2).mT @ q_hnGD.flatten(1, 2)
        d_q_KTGD[heads, queries] += _times(d_scores_hnGJ, k_KJD[heads, keys])
    d_q = d_q_KTGD.transpose(0, 1).flatten(1, 2)
    return d_q.to(q.dtype), d_k_KJD.transpose(0, 1).to(k.dtype), d_v_KJD.transpose(0, 1).to(v.dtype)


def index_loss(
    q: Tensor, k: Tensor, index_q: Tensor, index_k: Tensor, block_indices: Tensor, lse: Tensor, index_lse: Tensor,
    packing: Packing, block_size: int, scale: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """(mean KL, its gradient in index_q, in index_k), in one pass over the visits.

    KL(P || softmax(S)) has the gradient softmax(S) - P in S.
    """
    K = k.shape[1]
    q_KTGD, k_KJD = _by_group(q, K), _by_head(k)
    index_q_KTD, index_k_JD = _by_head(index_q), index_k.to(q_KTGD.dtype)
    lse_KTG, index_lse_KT = _by_group(lse[..., None], K)[..., 0], index_lse.T
    d_index_q_KTD, d_index_k_JD = torch.zeros_like(index_q_KTD), torch.zeros_like(index_k_JD)
    loss = q_KTGD.new_zeros(())
    index_scale, mean = index_q.shape[-1] ** -0.5, 1.0 / max(index_q.shape[0] * K, 1)
    visits = Visits.of(block_indices, packing, block_size, packing.shared_blocks)
    for heads, keys, queries, position in visits(packing, block_size, _queries(q_KTGD, block_size)):
        scores_hnGJ = _scores(q_KTGD[heads, queries], k_KJD[heads, keys], packing, queries, position, scale)
        p_hnJ = scores_hnGJ.sub_(lse_KTG[heads, queries][..., None]).exp_().mean(2)
        index_q_hnD = index_q_KTD[heads, queries]
        log_index_hnJ = (index_q_hnD @ index_k_JD[keys].T * index_scale).sub_(index_lse_KT[heads, queries][..., None])
        future_nJ = _future(packing, queries, position, p_hnJ.shape[-1])
        loss += (torch.xlogy(p_hnJ, p_hnJ) - p_hnJ * log_index_hnJ).sum()
        d_scores_hnJ = log_index_hnJ.exp_().masked_fill_(future_nJ, 0.0).sub_(p_hnJ).mul_(index_scale * mean)
        d_index_q_KTD[heads, queries] += d_scores_hnJ @ index_k_JD[keys]
        d_index_k_JD[keys] += d_scores_hnJ.flatten(0, 1).T @ index_q_hnD.flatten(0, 1)
    return loss * mean, d_index_q_KTD.transpose(0, 1).to(index_q.dtype), d_index_k_JD.to(index_k.dtype)


def select_paged(index_q: Tensor, index_k_pages: Tensor, block_tables: Tensor, seq_lens: Tensor, top_k: int) -> Tensor:
    """Block numbers [N,K,top_k] for one query at the end of each sequence; index_q [N,K,Di]."""
    page = index_k_pages.shape[1]
    dtype = torch.promote_types(index_q.dtype, torch.float32)
    choices = []
    for n, length in enumerate(seq_lens.tolist()):
        pages = block_tables[n, : -(-length // page)].long()
        scores_KJ = index_q[n].to(dtype) @ index_k_pages[pages].to(dtype).flatten(0, 1).T
        scores_KJ[:, length:] = -torch.inf
        score_KN = scores_KJ.view(len(scores_KJ), len(pages), page).amax(-1)
        local_K = torch.full((len(scores_KJ),), (length - 1) // page, device=index_q.device)
        choice = top_keys(score_KN.float(), local_K, top_k)
        choices.append(F.pad(choice, (0, top_k - choice.shape[-1]), value=-1))
    return torch.stack(choices).int() if choices else block_tables.new_empty(0, index_q.shape[1], top_k)


def decode(
    q: Tensor, k_pages: Tensor, v_pages: Tensor, block_tables: Tensor, seq_lens: Tensor, block_indices: Tensor,
    scale: float,
) -> Tensor:  # fmt: skip
    """o [N,H,D]: the chosen pages of all sequences gathered, one softmax."""
    page, K = k_pages.shape[1:3]
    position = block_indices[..., None] * page + torch.arange(page, device=q.device)
    hidden_NKJ = ((block_indices < 0)[..., None] | (position >= seq_lens[:, None, None, None])).flatten(2)
    blocks = block_indices.clamp(0, block_tables.shape[1] - 1).long().flatten(1)
    pages_NKS = block_tables.gather(1, blocks).view(block_indices.shape).clamp(min=0).long()
    heads_K1 = torch.arange(K, device=q.device)[:, None]
    dtype = torch.promote_types(q.dtype, torch.float32)
    k_NKJD = k_pages.transpose(1, 2)[pages_NKS, heads_K1].flatten(2, 3).to(dtype)
    v_NKJD = v_pages.transpose(1, 2)[pages_NKS, heads_K1].flatten(2, 3).to(dtype)
    # what lies behind a sequence's end may be anything, NaN too
    v_NKJD = v_NKJD.masked_fill(hidden_NKJ[..., None], 0.0)
    scores = q.to(dtype).reshape(len(q), K, q.shape[1] // K, q.shape[2]) @ k_NKJD.mT * scale
    scores = scores.masked_fill(hidden_NKJ[:, :, None], -torch.inf)
    p = scores.softmax(-1).masked_fill((hidden_NKJ.all(-1))[:, :, None, None], 0.0)
    return (p @ v_NKJD).flatten(1, 2).to(q.dtype)


def _scores(q_hnGD: Tensor, k_hJD: Tensor, packing: Packing, queries: Tensor, position: int, scale: float) -> Tensor:
    scores_hnGJ, n_keys = _times(q_hnGD, k_hJD.mT).mul_(scale), k_hJD.shape[1]
    # queries are in order: where the first sees the last key, all see all
    if packing.position_T[queries[0]] < position + n_keys - 1:
        scores_hnGJ.masked_fill_(_future(packing, queries, position, n_keys)[:, None], -torch.inf)
    return scores_hnGJ


def _times(x_hnGA: Tensor, y_hAB: Tensor) -> Tensor:
    """[h,n,G,B], a matrix product a head."""
    return (x_hnGA.flatten(1, 2) @ y_hAB).view(*x_hnGA.shape[:3], -1)


def _future(packing: Packing, queries: Tensor, position: int, n_keys: int) -> Tensor:
    key_J = torch.arange(position, position + n_keys, device=queries.device)
    return key_J > packing.position_T[queries][:, None]


def _by_group(x_THD: Tensor, n_groups: int) -> Tensor:
    """[K,T,G,D] in at least float32."""
    T, H, D = x_THD.shape
    dtype = torch.promote_types(x_THD.dtype, torch.float32)
    return x_THD.to(dtype).reshape(T, n_groups, H // n_groups, D).transpose(0, 1).contiguous()


def _by_head(x_TKD: Tensor) -> Tensor:
    return x_TKD.to(torch.promote_types(x_TKD.dtype, torch.float32)).transpose(0, 1).contiguous()


def _queries(q_KTGD: Tensor, block_size: int) -> int:
    return max(SCORES // (q_KTGD.shape[0] * q_KTGD.shape[2] * block_size), 1)


def _up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple
