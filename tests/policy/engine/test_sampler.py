import random

import pytest
import torch

from policy.engine import SamplingParams
from policy.engine.sampler import sample

LOGITS = torch.tensor([[1.0, 3.0, 2.0, -1.0, 2.5]])


def shares(params: SamplingParams, n: int = 4000) -> list[float]:
    """How often each id is drawn, the numbers evenly spread."""
    uniforms = [(i + 0.5) / n for i in range(n)]
    ids = torch.tensor(sample(LOGITS.expand(n, -1), [params] * n, uniforms).ids)
    return (torch.bincount(ids, minlength=5) / n).tolist()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_ids_are_drawn_as_softmax_says(temperature: float) -> None:
    wanted = (LOGITS[0] / temperature).softmax(0).tolist()
    assert shares(SamplingParams(temperature=temperature)) == pytest.approx(wanted, abs=1e-3)


def test_top_k_and_top_p_cut_the_tail() -> None:
    p = LOGITS[0].softmax(0)
    two = (p * torch.tensor([0, 1, 0, 0, 1])).tolist()
    wanted = [x / sum(two) for x in two]
    assert shares(SamplingParams(top_k=2)) == pytest.approx(wanted, abs=1e-3)
    # the two likeliest have .484 + .294: .5 needs both
    assert shares(SamplingParams(top_p=0.5)) == pytest.approx(wanted, abs=1e-3)
    assert shares(SamplingParams(top_p=0.3)) == [0, 1, 0, 0, 0]
    assert shares(SamplingParams(top_p=1e-9)) == [0, 1, 0, 0, 0]
    # of the three that top_k leaves, the first two have .84: top_p counts what is left
    assert shares(SamplingParams(top_k=3, top_p=0.8)) == pytest.approx(wanted, abs=1e-3)


def test_the_logprob_is_that_of_the_tempered_whole() -> None:
    params = [
        SamplingParams(temperature=0.0),
        SamplingParams(temperature=0.7, top_k=1),
        SamplingParams(temperature=2.0, top_p=0.01),
    ]
    sampled = sample(LOGITS.expand(3, -1).contiguous(), params, [0.9, 0.9, 0.9])
    assert sampled.ids == [1, 1, 1]
    wanted = [(LOGITS[0] / t).log_softmax(0)[1].item() for t in (1.0, 0.7, 2.0)]
    assert sampled.logprobs == pytest.approx(wanted, abs=1e-6)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 997, generator=generator) * 4
    kinds = [
        SamplingParams(),
        SamplingParams(temperature=0.0),
        SamplingParams(temperature=0.6, top_p=0.9),
        SamplingParams(top_k=5),
        SamplingParams(temperature=1.3),
        SamplingParams(top_k=50, top_p=0.5),
        SamplingParams(),
    ]
    uniforms = [random.Random(i).random() for i in range(7)]
    together = sample(logits, kinds, uniforms)
    for i in range(7):
        alone = sample(logits[i : i + 1], [kinds[i]], uniforms[i : i + 1])
        assert alone.ids[0] == together.ids[i]
        assert alone.logprobs[0] == together.logprobs[i]


def test_the_last_number_still_hits_a_possible_token() -> None:
    logits = torch.tensor([[0.0, 5.0, -torch.inf, -torch.inf]])
    for u in (0.0, 1 - 2**-53):
        for params in (SamplingParams(), SamplingParams(top_k=1), SamplingParams(top_p=0.999999)):
            assert sample(logits, [params], [u]).ids[0] in (0, 1)
