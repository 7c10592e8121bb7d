"""The optimizer: torch's AdamW in fp32, through bf16 weights too."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rl.learner.optimizer import MasterAdamW, OptimizerConfig


def test_narrow_weights_move_as_wide_ones_do() -> None:
    """Steps far below bf16's resolution add up in the master, and gradients of 1e-12 move as much as those of 1."""
    torch.manual_seed(0)
    start = torch.randn(8, 8).bfloat16()
    narrow, wide = nn.Parameter(start.clone()), nn.Parameter(start.float())
    config = OptimizerConfig(learning_rate=1e-4, max_grad_norm=1e9, weight_decay=0.1)
    ours = MasterAdamW({"weight": narrow}, config)
    theirs = torch.optim.AdamW([wide], lr=1e-4, betas=(0.9, 0.95), eps=1e-15, weight_decay=0.1)
    for step in range(40):
        for part in torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(step)).bfloat16() * 2.0**-40:
            (narrow * part).sum().backward()
            (wide * part.float()).sum().backward()
        ours.step()
        theirs.step()
        theirs.zero_grad()
    torch.testing.assert_close(ours.state()["master/weight"], wide.detach(), atol=1e-6, rtol=0)
    assert torch.equal(narrow, wide.bfloat16())
    assert (wide - start).abs().mean() > 4e-4  # far less than bf16 resolves
    assert {tensor.dtype for tensor in ours.state().values()} == {torch.float32}


def test_clipping_and_warm_up() -> None:
    weight = nn.Parameter(torch.zeros(4))
    optimizer = MasterAdamW({"weight": weight}, OptimizerConfig(learning_rate=0.4, warmup_steps=3, max_grad_norm=1.0))
    rates = []
    for _ in range(5):
        rates.append(optimizer.learning_rate)
        (weight * 100).sum().backward()
        assert optimizer.step() == pytest.approx(200.0)
        assert weight.grad is None
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])
    # the gradient was (0.5, ...), whose second moment is of 0.25
    moment = optimizer.state()["exp_avg_sq/weight"]
    torch.testing.assert_close(moment, torch.full((4,), 0.25 * (1 - 0.95**5)))


def test_the_rate_falls_to_nothing() -> None:
    weight = nn.Parameter(torch.zeros(1))
    optimizer = MasterAdamW({"weight": weight}, OptimizerConfig(learning_rate=0.8, warmup_steps=1, decay_steps=4))
    rates = []
    for _ in range(6):
        rates.append(optimizer.learning_rate)
        weight.sum().backward()
        optimizer.step()
    assert rates == pytest.approx([0.4, 0.6, 0.4, 0.2, 0.0, 0.0])


def test_nothing_to_train() -> None:
    with pytest.raises(ValueError, match="found no weight that trains"):
        MasterAdamW({}, OptimizerConfig(learning_rate=1.0))
