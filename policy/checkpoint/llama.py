"""Llama (SmolLM2, too), Qwen2 and Qwen3: softmax attention, a dense gated feed-forward, pre-norm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from policy.checkpoint.layout import Keys, Piece, attention_pieces, mlp_pieces, shared_pieces, write_rope
from policy.config import PolicyConfig


class LlamaLayout:
    """One of the three; they differ in biases, query and key norms and what null means."""

    def __init__(self, model_type: str, *, qkv_bias: bool = False, head_norm: bool = False) -> None:
        self.model_types: tuple[str, ...] = (model_type,)
        self._qkv_bias, self._head_norm = qkv_bias, head_norm

    def read_config(self, keys: Keys) -> PolicyConfig:
        keys.require("hidden_act", ["silu"])
        keys.require("attention_bias", [False])
        keys.require("mlp_bias", [False])
        keys.require("use_sliding_window", [False])
        n_heads = keys("num_attention_heads")
        head_dim = keys.get("head_dim", default=keys("hidden_size") // n_heads)
        return PolicyConfig.of(
            {
                "vocab_size": keys("vocab_size"),
                "embed_dim": keys("hidden_size"),
                "n_heads": n_heads,
                "n_kv_heads": keys.get("num_key_value_heads", default=n_heads),
                "head_dim": head_dim,
                "ffn_dim": keys("intermediate_size"),
                "max_context": keys("max_position_embeddings"),
                "layers": [{}] * keys("num_hidden_layers"),
                "rope": keys.rope(head_dim),
                "norm_eps": keys("rms_norm_eps"),
                "qk_norm": "head" if self._head_norm else "none",
                "qkv_bias": self._qkv_bias,
                "tie_embeddings": keys.get("tie_word_embeddings", default=False),
            }
        )

    def write_config(self, config: PolicyConfig) -> dict[str, Any]:
        return {
            "architectures": [f"{self.model_types[0].capitalize()}ForCausalLM"],
            "model_type": self.model_types[0],
            "vocab_size": config.vocab_size,
            "hidden_size": config.embed_dim,
            "intermediate_size": config.ffn_dim,
            "num_hidden_layers": config.n_layers,
            "num_attention_heads": config.n_heads,
            "num_key_value_heads": config.n_kv_heads,
            "head_dim": config.head_dim,
            "hidden_act": "silu",
            "max_position_embeddings": config.max_context,
            "rms_norm_eps": config.norm_eps,
            "tie_word_embeddings": config.tie_embeddings,
            **write_rope(config),
        }

    def canonical(self, name: str) -> str | None:
        # older files keep the rotary frequencies
        return None if name.endswith("rotary_emb.inv_freq") else name

    def pieces(self, config: PolicyConfig, *, fused: bool) -> Iterator[Piece]:
        yield from shared_pieces(config)
        for i in range(config.n_layers):
            yield from attention_pieces(config, i)
            yield from mlp_pieces(f"model.layers.{i}.mlp", f"layers.{i}.feed_forward", config.ffn_dim)
