"""A tree of samples against each sample alone: logprobs, loss, and the gradient of every weight by name."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from policy.model import Choices, Decoder, PackedContext, score
from rl.learner.batch import microbatches
from rl.learner.sample import TrainingSample
from tests.rl import small

Result = tuple[Tensor, Tensor, dict[str, Tensor]]


def alone(model: Decoder, samples: list[TrainingSample]) -> Result:
    """The specification: a forward for each sample; the loss is anything that tells tokens apart."""
    logprobs = []
    for sample in samples:
        ids_T = torch.tensor(sample.ids)
        scored = score(model, ids_T, PackedContext([len(ids_T)])).logprobs_T
        logprobs.append(scored[torch.tensor(sample.loss_mask)])
    return _result(model, torch.cat(logprobs), samples)


def packed(model: Decoder, samples: list[TrainingSample], *, max_tokens: int = 4096, share: bool = True) -> Result:
    logprobs: dict[int, Tensor] = {}
    for part in microbatches(samples, max_tokens, share=share):
        logprobs_N, _ = part.logprobs(model, part.context())
        lengths = [samples[number].n_trained for number in part.numbers]
        logprobs |= dict(zip(part.numbers, logprobs_N.split(lengths), strict=True))
    return _result(model, torch.cat([logprobs[number] for number in range(len(samples))]), samples)


def _result(model: Decoder, logprobs_N: Tensor, samples: list[TrainingSample]) -> Result:
    weight_N = torch.tensor([a for sample in samples for a in sample.advantages], dtype=logprobs_N.dtype)
    loss = -(weight_N * logprobs_N * logprobs_N.detach().exp()).sum()
    named = dict(model.named_parameters())
    gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    found = {name: gradient for name, gradient in zip(named, gradients, strict=True) if gradient is not None}
    return logprobs_N.detach(), loss.detach(), found


def assert_same(got: Result, wanted: Result, tolerance: float) -> None:
    torch.testing.assert_close(got[0], wanted[0], atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(got[1], wanted[1], atol=tolerance, rtol=tolerance)
    assert got[2].keys() == wanted[2].keys()
    assert len(got[2]) > 20
    for name, gradient in got[2].items():
        torch.testing.assert_close(
            gradient, wanted[2][name], atol=tolerance, rtol=tolerance, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.fixture(scope="module")
def wanted() -> Result:
    return alone(small.model(), small.branching())


@pytest.mark.parametrize(
    "options", [{}, {"max_tokens": 60}, {"share": False}], ids=["one tree", "several trees", "flat"]
)
@pytest.mark.parametrize("recompute", [False, True], ids=["kept", "recomputed"])
def test_tree_is_flat(wanted: Result, options: dict[str, Any], recompute: bool) -> None:
    model = small.model()
    model.checkpoint_layers = recompute
    assert_same(packed(model, small.branching(), **options), wanted, 1e-9)


@pytest.mark.parametrize("recompute", [False, True], ids=["kept", "recomputed"])
def test_tree_is_flat_in_fp32(wanted: Result, recompute: bool) -> None:
    """Gradients in units of the greatest."""
    model = small.model().float()
    model.checkpoint_layers = recompute
    logprobs, loss, gradients = packed(model, small.branching())
    unit = max(gradient.abs().max().item() for gradient in wanted[2].values())
    torch.testing.assert_close(logprobs.double(), wanted[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(loss.double(), wanted[1], atol=1e-5, rtol=1e-5)
    for name, gradient in wanted[2].items():
        torch.testing.assert_close(gradients[name].double() / unit, gradient / unit, atol=1e-5, rtol=0, msg=name)


@settings(max_examples=12, deadline=None)
@given(
    paths=st.lists(st.lists(st.integers(0, 1), min_size=2, max_size=14), min_size=1, max_size=7),
    seed=st.integers(0, 100),
)
def test_any_samples(paths: list[list[int]], seed: int) -> None:
    """Few ids, so that they share much; masks with holes."""
    model, rng = small.model(moe=False), random.Random(seed)
    samples = []
    for ids in paths:
        mask = [False, *(rng.random() < 0.6 for _ in ids[1:])]
        mask[-1] = mask[-1] or not any(mask)
        advantages = [rng.uniform(-1, 1) for _ in range(sum(mask))]
        samples.append(TrainingSample(ids, mask, advantages, None))
    assert_same(packed(model, samples, max_tokens=rng.randint(13, 60)), alone(model, samples), 1e-9)


def test_long_offsets() -> None:
    """Branches hundreds of tokens deep: positions count along the path, not along the flat axis."""
    model, rng = small.model(moe=False), random.Random(2)
    prompt = [rng.randrange(small.V) for _ in range(431)]
    samples = [small.sample(prompt + [rng.randrange(small.V) for _ in range(n)], n, rollout=n) for n in (7, 3)]
    assert microbatches(samples, 4096)[0].tree.sharing > 1.9
    assert_same(packed(model, samples), alone(model, samples), 1e-9)


def test_forks_share_pairs_and_rows() -> None:
    """The token before a fork is computed once and predicts two; what two samples train alike is one pair."""
    samples = [small.sample([1, 2, 3, 4], 2), small.sample([1, 2, 3, 5], 2, rollout=1)]
    (part,) = microbatches(samples, 100)
    assert part.ids_T.tolist() == [1, 2, 3]
    assert sorted(zip(part.rows_P.tolist(), part.targets_P.tolist(), strict=True)) == [(1, 3), (2, 4), (2, 5)]
    assert part.sample_N.tolist() == [0, 0, 1, 1]
    assert part.advantages_N.tolist() == [*samples[0].advantages, *samples[1].advantages]


def test_choices_are_replayed_along_the_tree() -> None:
    """What each sample's own forward chose under other weights, it is computed with; the unrecorded differs."""
    model, sampler, samples = small.model(), small.model(seed=9), small.branching()
    recorded = []
    for sample in samples:
        record = Choices()
        with torch.no_grad():
            sampler(torch.tensor(sample.ids), PackedContext([len(sample.ids)], record=record))
        recorded.append(
            TrainingSample(sample.ids, sample.loss_mask, sample.advantages, sample.sampler_logprobs, choices=record)
        )
    tree, _, _ = packed(model, recorded)
    flat = []
    for sample in recorded:
        context = PackedContext([len(sample.ids)], replay=sample.choices)
        flat.append(score(model, torch.tensor(sample.ids), context).logprobs_T[torch.tensor(sample.loss_mask)])
    torch.testing.assert_close(tree, torch.cat(flat).detach(), atol=1e-9, rtol=0)
    assert (tree - packed(model, samples)[0]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2, 3], [False, True], [1.0], None), "2 places in a loss mask, 1 of them True, 3 ids"),
        (([1, 2], [False, True], [1.0, 2.0], None), "2 advantages"),
        (([1, 2], [False, True], [1.0], []), "0 sampler logprobs"),
        (([1, 2], [False, False], [], None), "no token that trains"),
        (([1, 2], [True, True], [1.0, 1.0], None), "a first token that trains, which nothing precedes"),
    ],
)
def test_no_sample(arguments: tuple[list[int], list[bool], list[float], list[float] | None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingSample(*arguments)


def test_one_kind_of_samples_in_a_batch() -> None:
    demonstration = TrainingSample.demonstration([1, 2, 3], [False, True, True])
    with pytest.raises(ValueError, match="with and without sampler logprobs"):
        microbatches([small.sample([1, 2, 4], 1), demonstration], 100)
