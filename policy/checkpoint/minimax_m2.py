"""MiniMax-M2: softmax layers with norms over whole projections, experts chosen by biased sigmoid scores, pre-norm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from policy.checkpoint.layout import Keys, Piece, attention_pieces, expert_pieces, shared_pieces, write_rope
from policy.config import PolicyConfig


class MiniMaxM2Layout:
    model_types: tuple[str, ...] = ("minimax_m2",)

    def read_config(self, keys: Keys) -> PolicyConfig:
        keys.require("hidden_act", ["silu"])
        keys.require("use_qk_norm", [True])
        keys.require("qk_norm_type", ["per_layer"])
        keys.require("scoring_func", ["sigmoid"])
        keys.require("use_routing_bias", [True])
        keys.require("shared_intermediate_size", [0])
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
                "layers": [{"feed_forward": "moe"}] * keys("num_hidden_layers"),
                "rope": keys.rope(head_dim),
                "norm_eps": keys("rms_norm_eps"),
                "qk_norm": "projection",
                "tie_embeddings": keys.get("tie_word_embeddings", default=False),
                "moe": {
                    "n_experts": keys("num_local_experts", "num_experts"),
                    "top_k": keys("num_experts_per_tok"),
                    "expert_dim": keys("intermediate_size"),
                    "router": "sigmoid",
                    "selection_bias": True,
                    "aux_loss_coeff": keys.get("router_aux_loss_coef", default=0.0),
                },
            }
        )

    def write_config(self, config: PolicyConfig) -> dict[str, Any]:
        assert config.moe is not None
        return {
            "architectures": ["MiniMaxM2ForCausalLM"],
            "model_type": "minimax_m2",
            "vocab_size": config.vocab_size,
            "hidden_size": config.embed_dim,
            "intermediate_size": config.moe.expert_dim,
            "num_hidden_layers": config.n_layers,
            "num_attention_heads": config.n_heads,
            "num_key_value_heads": config.n_kv_heads,
            "head_dim": config.head_dim,
            "hidden_act": "silu",
            "max_position_embeddings": config.max_context,
            "rms_norm_eps": config.norm_eps,
            "tie_word_embeddings": config.tie_embeddings,
            "num_local_experts": config.moe.n_experts,
            "num_experts_per_tok": config.moe.top_k,
            "router_aux_loss_coef": config.moe.aux_loss_coeff,
            **write_rope(config),
        }

    def canonical(self, name: str) -> str | None:
        # layers for multi-token prediction are not read
        return None if ".mtp" in f".{name}" else name

    def pieces(self, config: PolicyConfig, *, fused: bool) -> Iterator[Piece]:
        yield from shared_pieces(config)
        for i in range(config.n_layers):
            disk, ours = f"model.layers.{i}.block_sparse_moe", f"layers.{i}.feed_forward"
            yield from attention_pieces(config, i)
            yield Piece(f"{disk}.e_score_correction_bias", f"{ours}.selection_bias_X")
            yield from expert_pieces(config, disk, ours)
