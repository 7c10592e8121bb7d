"""How surprised a decoder is by a text."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from policy.model import Decoder, PackedContext, score

# T tokens


@torch.inference_mode()
def perplexity(model: Decoder, tokens_T: Tensor, *, window: int) -> float:
    """exp of the mean negative log-likelihood of each token after the first, over whole windows of int64 tokens_T."""
    n_windows = len(tokens_T) // window
    if n_windows == 0 or window < 2:
        raise ValueError(f"found {len(tokens_T)} tokens, wanted one window of {window} at least, and 2 tokens in it")
    total = 0.0
    for i in range(n_windows):
        window_T = tokens_T[i * window : (i + 1) * window]
        scores = score(model, window_T, PackedContext([window], device=window_T.device))
        total -= scores.logprobs_T.double().sum().item()
    return math.exp(total / (n_windows * (window - 1)))
