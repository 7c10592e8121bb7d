"""How probable a policy finds the tokens of packed sequences: what a trainer calls."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from kernels.logprob import chosen_logprobs
from policy.model.decoder import Decoder
from policy.model.packed import PackedContext

_NOTHING = -100
"""The target that counts for nothing."""


class Scores(NamedTuple):
    logprobs_T: Tensor
    """fp32 [T]: of each token, given the tokens before it in its own sequence; 0 for the first of a sequence."""
    entropy_T: Tensor
    """fp32 [T], nats: of the distribution that the token was drawn from; 0 for the first of a sequence."""


def score(model: Decoder, tokens_T: Tensor, context: PackedContext, *, temperature: float = 1.0) -> Scores:
    """int64 [T] -> Scores, differentiable in all weights. The head runs in fp32 and its logits are never whole.

    In a prefix tree a token follows the last token of its parent segment, so branches share what came before and each
    unique token is computed once. ValueError: the context is for another number of tokens.
    """
    hidden_TE = model(tokens_T, context)
    before_T = context.predecessors_T
    targets_T = torch.where(before_T < 0, _NOTHING, tokens_T)
    # a row may be asked for several times: each branch has its own next token
    rows_TE = hidden_TE[before_T.clamp(min=0)]
    return Scores(*chosen_logprobs(rows_TE, model.head_weight, targets_T, temperature=temperature, path=context.path))
