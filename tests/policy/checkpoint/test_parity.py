"""Our decoder against transformers' models, on weights that transformers saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from policy.checkpoint import load
from policy.model import PackedContext
from tests.policy.families import FAMILIES, hf_model, tokens

N_TOKENS = 61
"""Odd, and several blocks of lightning and MSA."""


def our_logits(folder: Path, ids: Tensor, dtype: torch.dtype) -> Tensor:
    model = load(folder, dtype=dtype).model
    with torch.no_grad():
        return model.logits(model(ids, PackedContext([len(ids)])))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-5)], ids=["fp64", "fp32"])
@pytest.mark.parametrize("family", FAMILIES)
def test_logits(checkpoint: Callable[[str], Path], family: str, dtype: torch.dtype, tolerance: float) -> None:
    ids = tokens(N_TOKENS)
    with torch.no_grad():
        theirs = hf_model(family).to(dtype)(ids[None], use_cache=False).logits[0]
    ours = our_logits(checkpoint(family), ids, dtype)
    assert theirs.std() > 0.2
    torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_their_cached_decode(checkpoint: Callable[[str], Path], family: str) -> None:
    """Token by token through transformers' cache is what our forward says of each position."""
    ids = tokens(N_TOKENS)
    model, cache, theirs = hf_model(family), None, []
    with torch.no_grad():
        for position, step in enumerate(ids):
            # positions stated: transformers asks layer 0's cache for them, and a lightning layer has none
            at = torch.tensor([[position]])
            output = model(step[None, None], position_ids=at, cache=cache, use_cache=True)
            cache = output.past_key_values
            theirs.append(output.logits[0, -1])
    torch.testing.assert_close(
        our_logits(checkpoint(family), ids, torch.float32), torch.stack(theirs), atol=1e-5, rtol=0
    )


@pytest.mark.gpu
@pytest.mark.parametrize("family", FAMILIES)
def test_on_a_gpu(checkpoint: Callable[[str], Path], family: str) -> None:
    """The same logits through the GPU's own paths."""
    ids = tokens(N_TOKENS)
    model = load(checkpoint(family), device="cuda").model
    with torch.no_grad():
        ours = model.logits(model(ids.cuda(), PackedContext([N_TOKENS], device="cuda")))
    torch.testing.assert_close(ours.cpu(), our_logits(checkpoint(family), ids, torch.float32), atol=1e-3, rtol=0)
