"""The smallest policy of use: a hybrid of all three mixers that trains on two CPU cores."""

from __future__ import annotations

from policy.config import LayerConfig, LightningConfig, MSAConfig, PolicyConfig, RopeConfig


def tiny_policy_config(vocab_size: int) -> PolicyConfig:
    """1.3M weights over 600 tokens. Softmax first: copying is learned sooner so."""
    return PolicyConfig(
        vocab_size=vocab_size,
        embed_dim=160,
        n_heads=4,
        n_kv_heads=4,
        head_dim=32,
        ffn_dim=448,
        max_context=512,
        layers=tuple(LayerConfig(mixer=mixer) for mixer in ("softmax", "lightning", "softmax", "msa")),
        rope=RopeConfig(theta=1000.0, rotary_dim=32),
        norm_eps=1e-5,
        qk_norm="head",
        tie_embeddings=True,
        lightning=LightningConfig(),
        msa=MSAConfig(index_dim=32, block_size=16, top_k=16),
    )
