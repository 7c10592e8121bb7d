"""What the parity tests would let slip if it made no difference: each small mistake must move the logits visibly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from policy.checkpoint import load
from policy.config import PolicyConfig
from policy.model import Decoder, PackedContext
from tests.policy.families import FAMILIES, tokens

VISIBLE = 1e-3
"""A hundred times what the parity tests allow."""


def logits(model: Decoder, *, n: int = 61) -> torch.Tensor:
    with torch.no_grad():
        return model.logits(model(tokens(n), PackedContext([n])))


def with_config(model: Decoder, change: dict[str, Any]) -> Decoder:
    """The same weights under another config."""
    config = model.config.model_dump(mode="json")
    for key, value in change.items():
        config[key] = {**config[key], **value} if isinstance(value, dict) and config[key] else value
    other = Decoder(PolicyConfig.of(config))
    other.load_state_dict(model.state_dict())
    return other


CHANGES: list[tuple[str, dict[str, Any]]] = [
    *((family, {"norm_eps": 1e-2}) for family in FAMILIES),
    *((family, {"rope": {"theta": 2e4}}) for family in FAMILIES),
    ("llama", {"norm_plus_one": True}),
    ("llama", {"rope": {"rotary_dim": 4}}),
    ("minimax", {"lightning": {"norm_eps": 1e-1}}),
    ("minimax", {"moe": {"router": "sigmoid"}}),
    ("minimax", {"moe": {"routed_scaling": 1.1}}),
    *(("minimax", {"post_norm": {name: 1.0}}) for name in ("softmax_alpha", "softmax_beta", "lightning_alpha",
                                                          "lightning_beta", "feed_forward_alpha", "feed_forward_beta")),
    ("minimax_m2", {"rope": {"rotary_dim": 16}}),
    ("minimax_m2", {"moe": {"top_k": 3}}),
    ("minimax_m3", {"norm_plus_one": False}),
    ("minimax_m3", {"rope": {"rotary_dim": 16}}),
    ("minimax_m3", {"clamped_swiglu": {"alpha": 1.0}}),
    ("minimax_m3", {"clamped_swiglu": {"limit": 7.0}}),
    ("minimax_m3", {"moe": {"routed_scaling": 1.0}}),
    ("minimax_m3", {"msa": {"top_k": 2}}),
    ("minimax_m3", {"msa": {"block_size": 16}}),
]  # fmt: skip


@pytest.mark.parametrize(("family", "change"), CHANGES, ids=lambda value: str(value).replace("'", ""))
def test_config(checkpoint: Callable[[str], Path], family: str, change: dict[str, Any]) -> None:
    model = load(checkpoint(family)).model
    assert (logits(model) - logits(with_config(model, change))).abs().max() > VISIBLE


@pytest.mark.parametrize("family", FAMILIES)
def test_gate_and_up_swapped(checkpoint: Callable[[str], Path], family: str) -> None:
    model = load(checkpoint(family)).model
    right = logits(model)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "gate_up" in name:
                weight.copy_(torch.cat(weight.chunk(2, -2)[::-1], -2))
    assert (right - logits(model)).abs().max() > VISIBLE


@pytest.mark.parametrize("family", FAMILIES)
def test_every_weight_counts(checkpoint: Callable[[str], Path], family: str) -> None:
    """No weight is read and then left out: changing any one of them changes the logits."""
    model = load(checkpoint(family)).model
    right = logits(model)
    for name, weight in [*model.named_parameters(), *model.named_buffers()]:
        kept = weight.detach().clone()
        with torch.no_grad():
            weight.copy_(kept.roll(1, 0) * 1.5)
        assert (right - logits(model)).abs().max() > 1e-4, name
        with torch.no_grad():
            weight.copy_(kept)


def test_expert_choice_bias(checkpoint: Callable[[str], Path]) -> None:
    """It counts in the choice alone: shifting all experts' bias together changes nothing."""
    model = load(checkpoint("minimax_m2"), dtype=torch.float64).model
    right = logits(model)
    for layer in model.layers:
        layer.feed_forward.selection_bias_X.add_(0.5)
    torch.testing.assert_close(logits(model), right, atol=1e-12, rtol=0)
