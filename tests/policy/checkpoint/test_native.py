"""Our own layout holds every config that can be built, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from policy.checkpoint import CheckpointError, load, save
from policy.config import PolicyConfig
from policy.model import Decoder, PackedContext
from tests.policy.families import tokens

MIXTURE = PolicyConfig.of(
    {
        "vocab_size": 97, "embed_dim": 32, "n_heads": 4, "n_kv_heads": 2, "head_dim": 8, "ffn_dim": 24, "max_context": 64,
        "layers": [{"mixer": "lightning"}, {"mixer": "msa", "feed_forward": "moe"}, {"mixer": "softmax"}],
        "rope": {"theta": 1e4, "rotary_dim": 4}, "norm_eps": 1e-5, "lightning": {}, "qkv_bias": True,
        "msa": {"index_dim": 8, "block_size": 4, "top_k": 3}, "tie_embeddings": True,
        "moe": {"n_experts": 4, "top_k": 2, "expert_dim": 12, "shared_dim": 8},
    }
)  # fmt: skip


def test_there_and_back(tmp_path: Path) -> None:
    model = Decoder(MIXTURE)
    with pytest.raises(CheckpointError, match="cannot say"):
        save(model, tmp_path / "new", model_type="minimax")
    loaded = load(save(model, tmp_path / "new", model_type="agentgym", max_shard_bytes=10_000))
    assert loaded.config == MIXTURE
    ids = tokens(40)
    with torch.no_grad():
        assert torch.equal(loaded.model(ids, PackedContext([40])), model(ids, PackedContext([40])))
