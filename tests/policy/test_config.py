"""The policy's config: what it takes, and what it says to what it does not take."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from policy.config import ConfigError, PolicyConfig

GOOD: dict[str, Any] = {
    "vocab_size": 97, "embed_dim": 32, "n_heads": 4, "n_kv_heads": 2, "head_dim": 8, "ffn_dim": 64, "max_context": 128,
    "layers": [{}, {"mixer": "lightning"}], "rope": {"theta": 1e4, "rotary_dim": 8}, "norm_eps": 1e-5, "lightning": {},
}  # fmt: skip


def test_good() -> None:
    config = PolicyConfig.of(GOOD)
    assert config.n_layers == 2
    assert config.mixers == {"softmax", "lightning"}
    assert PolicyConfig.of(config.model_dump(mode="json")) == config
    assert len({config, PolicyConfig.of(GOOD)}) == 1
    with pytest.raises(ValidationError, match="frozen"):
        config.norm_eps = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_head": 4}, r'^n_head: unknown key \(nearest known key: "n_heads"\)$'),
        (
            {"rope": {"theta": 1e4, "rotary_dims": 8}},
            r'rope.rotary_dims: unknown key \(nearest known key: "rotary_dim"\)',
        ),
        ({"qqq": 4}, r"^qqq: unknown key$"),
        ({"norm_eps": 0.0}, r"norm_eps: .*greater than 0"),
        ({"n_heads": "4"}, r"n_heads: .*integer"),
        ({"layers": []}, r"layers: .*at least 1"),
        ({"layers": [{"mixer": "mamba"}]}, r"layers.0.mixer: .*'softmax', 'lightning' or 'msa'"),
        ({"n_kv_heads": 3}, r"n_heads 4 is no multiple of n_kv_heads 3"),
        ({"rope": {"theta": 1e4, "rotary_dim": 16}}, r"rope.rotary_dim 16 must be even and at most head_dim 8"),
        ({"rope": {"theta": 1e4, "rotary_dim": 3}}, r"rope.rotary_dim 3 must be even"),
        ({"lightning": None}, r"lightning: a layer needs it and it is missing"),
        ({"msa": {"index_dim": 8, "block_size": 4, "top_k": 2}}, r"msa: it is given and no layer uses it"),
        (
            {"layers": [{"mixer": "msa"}], "lightning": None, "msa": {"index_dim": 4, "block_size": 4, "top_k": 2}},
            r"msa.index_dim 4 is less than rope.rotary_dim 8",
        ),
        (
            {
                "layers": [{"feed_forward": "moe"}],
                "lightning": None,
                "moe": {"n_experts": 2, "top_k": 3, "expert_dim": 4},
            },
            r"moe.top_k 3 is more than moe.n_experts 2",
        ),
    ],
)
def test_bad(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PolicyConfig.of({**GOOD, **change})
