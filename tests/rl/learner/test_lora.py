"""Adapters begin as nothing, learn while the weights stand still, and merge into a plain model."""

from __future__ import annotations

import pytest
import torch

from policy.model import Decoder
from rl.learner.lora import LoRAConfig, merged, plain
from tests.rl import small


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=["fp64", "bf16"])
def test_adapters(dtype: torch.dtype) -> None:
    before = small.model(dtype=dtype).state_dict()
    samples, plain_before = small.branching(), small.trainer(small.model(dtype=dtype)).logprobs(small.branching())
    trainer = small.trainer(small.model(dtype=dtype), lora=LoRAConfig(rank=3, alpha=6.0))
    for ours, theirs in zip(trainer.logprobs(samples), plain_before, strict=True):
        assert torch.equal(ours, theirs)
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.weights().items())
    for _ in range(3):
        trainer.train_step(samples)
    state = trainer.weights()
    assert state.keys() == before.keys()
    changed = {name for name, tensor in state.items() if not torch.equal(tensor, before[name])}
    matrices = {n for n, t in before.items() if t.ndim > 1 and n.startswith("layers") and "router" not in n}
    assert changed == matrices
    other = Decoder(trainer.model.config, dtype=dtype)
    other.load_state_dict(state)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-2
    for ours, theirs in zip(trainer.logprobs(samples), small.trainer(other).logprobs(samples), strict=True):
        torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=0)
    trained = [weight for weight in trainer.model.parameters() if weight.requires_grad]
    assert all(weight.dtype == torch.promote_types(dtype, torch.float32) for weight in trained)


def test_without_adapters_merging_is_nothing() -> None:
    model = small.model()
    assert all(
        a.data_ptr() == b.data_ptr() for a, b in zip(merged(model).values(), model.state_dict().values(), strict=True)
    )
    assert plain(model).state_dict().keys() == model.state_dict().keys()
