"""Log-probabilities of packed tokens against the whole logits of each sequence alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from policy.checkpoint import load
from policy.model import Decoder, Forest, PackedContext, score
from tests.policy.families import tokens

LENGTHS, PARENTS = (9, 4, 1, 7, 5), (-1, 0, 0, 2, -1)
TEMPERATURE = 0.7


def alone(model: Decoder, ids_T: Tensor) -> tuple[Tensor, Tensor]:
    """The specification."""
    log_p = (model.logits(model(ids_T, PackedContext([len(ids_T)]))) / TEMPERATURE).log_softmax(-1)[:-1]
    nothing = torch.zeros(1, dtype=log_p.dtype)
    chosen = log_p.gather(1, ids_T[1:, None])[:, 0]
    return torch.cat((nothing, chosen)), torch.cat((nothing, -(log_p.exp() * log_p).sum(-1)))


@pytest.mark.parametrize("family", ["qwen2", "minimax_m3"], ids=["tied", "not tied"])
@pytest.mark.parametrize("parents", [None, PARENTS], ids=["documents", "tree"])
def test_score(checkpoint: Callable[[str], Path], family: str, parents: tuple[int, ...] | None) -> None:
    model, ids = load(checkpoint(family), dtype=torch.float64).model, tokens(sum(LENGTHS))
    forest = Forest(LENGTHS, parents or (-1,) * len(LENGTHS))
    wanted_logprobs, wanted_entropy = [], []
    for segment, length in enumerate(LENGTHS):
        path = torch.tensor([t for s in forest.path(segment) for t in forest.tokens(s)])
        logprobs, entropy = alone(model, ids[path])
        wanted_logprobs.append(logprobs[-length:])
        wanted_entropy.append(entropy[-length:])
    got = score(model, ids, PackedContext(LENGTHS, parents), temperature=TEMPERATURE)
    torch.testing.assert_close(got.logprobs_T, torch.cat(wanted_logprobs), atol=1e-9, rtol=0)
    torch.testing.assert_close(got.entropy_T, torch.cat(wanted_entropy), atol=1e-9, rtol=0)
    weights = dict(model.named_parameters())
    for name, ours, theirs in zip(
        weights,
        torch.autograd.grad((got.logprobs_T + 0.1 * got.entropy_T).sum(), list(weights.values()), allow_unused=True),
        torch.autograd.grad(
            (torch.cat(wanted_logprobs) + 0.1 * torch.cat(wanted_entropy)).sum(),
            list(weights.values()),
            allow_unused=True,
        ),
        strict=True,
    ):
        if theirs is not None:
            torch.testing.assert_close(ours, theirs, atol=1e-8, rtol=1e-8, msg=name)
