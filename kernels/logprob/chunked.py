"""Blocks of logits in torch, in float32 whatever the inputs are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kernels.logprob.blocks import Row, Statistics, slices


@dataclass(frozen=True, slots=True)
class TorchBlocks:
    n_tokens: int = 512
    n_vocab: int = 2048

    def statistics(self, hidden_TE: Tensor, weight_VE: Tensor, targets_T: Tensor, temperature: float) -> Statistics:
        dtype = _wide(hidden_TE.dtype)
        T = len(hidden_TE)
        # far below every logit, and finite: what it is multiplied with is zero
        top = hidden_TE.new_full((T,), torch.finfo(dtype).min / 2, dtype=dtype)
        total, moment, chosen = (torch.zeros_like(top) for _ in range(3))
        for vocab in slices(len(weight_VE), self.n_vocab):
            for tokens in slices(T, self.n_tokens):
                logits_tv = _logits(hidden_TE[tokens], weight_VE[vocab], temperature)
                at_t1 = (targets_T[tokens] - vocab.start)[:, None]
                held_t1 = (at_t1 >= 0) & (at_t1 < logits_tv.shape[1])
                picked_t1 = logits_tv.gather(1, at_t1.clamp(0, logits_tv.shape[1] - 1))
                chosen[tokens] += torch.where(held_t1, picked_t1, 0).squeeze(1)
                higher = torch.maximum(top[tokens], logits_tv.amax(1))
                fall = top[tokens] - higher
                logits_tv -= higher[:, None]
                weights_tv = logits_tv.exp()
                moment[tokens] = fall.exp() * (moment[tokens] + fall * total[tokens])
                total[tokens] = fall.exp() * total[tokens] + weights_tv.sum(1)
                moment[tokens] += weights_tv.mul_(logits_tv).sum(1)
                top[tokens] = higher
        return merged(top, total, moment, chosen)

    def logit_gradients(
        self, hidden_tE: Tensor, weight_vE: Tensor, targets_t: Tensor, row: Row, temperature: float
    ) -> Tensor:
        logits_tv = _logits(hidden_tE, weight_vE, temperature)
        d_tv = (logits_tv - row.lse[:, None]).exp_()
        logits_tv.sub_(row.mean[:, None]).mul_(row.d_entropy[:, None]).add_(row.d_logprob[:, None])
        d_tv.mul_(logits_tv).neg_()
        held_t = (targets_t >= 0) & (targets_t < len(weight_vE))
        at_t1 = targets_t.clamp(0, len(weight_vE) - 1)[:, None]
        d_tv.scatter_add_(1, at_t1, torch.where(held_t, row.d_logprob, 0)[:, None])
        return d_tv.div_(temperature)

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        return a @ b.to(a.dtype)


def merged(top: Tensor, total: Tensor, moment: Tensor, chosen: Tensor) -> Statistics:
    """From the greatest logit m of each row, the sum of e^(z-m), that of e^(z-m) (z-m), and the target's logit."""
    return Statistics(chosen, top + total.log(), total.log() - moment / total)


def _logits(hidden_tE: Tensor, weight_vE: Tensor, temperature: float) -> Tensor:
    dtype = _wide(hidden_tE.dtype)
    return (hidden_tE.to(dtype) @ weight_vE.to(dtype).T).div_(temperature)


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)
