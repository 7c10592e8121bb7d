"""MiniMax-Text-01 and M1: lightning and softmax layers, experts, a residual after the norm.

Two spellings of config.json exist, that of the released files and that of transformers; both are read, the second is
written. transformers' class turns all dims of a head whatever `rotary_dim` says; the released weights turn 64 of 128.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from policy.checkpoint.errors import CheckpointError
from policy.checkpoint.layout import Keys, Piece, attention_pieces, expert_pieces, shared_pieces, write_rope
from policy.config import PolicyConfig

_BUFFERS = ("slope_rate", "query_decay", "key_decay", "diagonal_decay")
"""transformers saves them; they follow from the config."""


class MiniMaxLayout:
    model_types: tuple[str, ...] = ("minimax", "minimax_text_01", "minimax_m1")

    def read_config(self, keys: Keys) -> PolicyConfig:
        keys.require("hidden_act", ["silu"])
        keys.require("postnorm", [True])
        keys.require("shared_intermediate_size", [0])
        n_heads = keys("num_attention_heads")
        head_dim = keys.get("head_dim", default=keys("hidden_size") // n_heads)
        if keys.get("sliding_window") is not None:
            raise CheckpointError(f"{keys.file}: sliding_window is given, and windows cannot be computed")
        factors = {
            "softmax_alpha": keys.get("full_attn_alpha_factor", "layernorm_full_attention_alpha", default=1),
            "softmax_beta": keys.get("full_attn_beta_factor", "layernorm_full_attention_beta", default=1),
            "lightning_alpha": keys.get("linear_attn_alpha_factor", "layernorm_linear_attention_alpha", default=1),
            "lightning_beta": keys.get("linear_attn_beta_factor", "layernorm_linear_attention_beta", default=1),
            "feed_forward_alpha": keys.get("mlp_alpha_factor", "layernorm_mlp_alpha", default=1),
            "feed_forward_beta": keys.get("mlp_beta_factor", "layernorm_mlp_beta", default=1),
        }
        mixers = _mixers(keys)
        return PolicyConfig.of(
            {
                "vocab_size": keys("vocab_size"),
                "embed_dim": keys("hidden_size"),
                "n_heads": n_heads,
                "n_kv_heads": keys.get("num_key_value_heads", default=n_heads),
                "head_dim": head_dim,
                "ffn_dim": keys("intermediate_size"),
                "max_context": keys("max_position_embeddings"),
                "layers": [{"mixer": mixer, "feed_forward": "moe"} for mixer in mixers],
                "rope": keys.rope(head_dim),
                "norm_eps": keys("rms_norm_eps"),
                "tie_embeddings": keys.get("tie_word_embeddings", default=False),
                "post_norm": {name: float(value) for name, value in factors.items()},
                "lightning": {} if "lightning" in mixers else None,
                "moe": {
                    "n_experts": keys("num_local_experts", "num_experts"),
                    "top_k": keys("num_experts_per_tok"),
                    "expert_dim": keys("intermediate_size"),
                    "aux_loss_coeff": keys.get("router_aux_loss_coef", default=0.0),
                },
            }
        )

    def write_config(self, config: PolicyConfig) -> dict[str, Any]:
        assert config.moe is not None
        assert config.post_norm is not None
        factors = config.post_norm
        return {
            "architectures": ["MiniMaxForCausalLM"],
            "model_type": "minimax",
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
            "layer_types": [
                "linear_attention" if layer.mixer == "lightning" else "full_attention" for layer in config.layers
            ],
            "full_attn_alpha_factor": factors.softmax_alpha,
            "full_attn_beta_factor": factors.softmax_beta,
            "linear_attn_alpha_factor": factors.lightning_alpha,
            "linear_attn_beta_factor": factors.lightning_beta,
            "mlp_alpha_factor": factors.feed_forward_alpha,
            "mlp_beta_factor": factors.feed_forward_beta,
            **write_rope(config),
        }

    def canonical(self, name: str) -> str | None:
        return None if name.endswith(_BUFFERS) else name

    def pieces(self, config: PolicyConfig, *, fused: bool) -> Iterator[Piece]:
        yield from shared_pieces(config)
        for i, layer in enumerate(config.layers):
            disk, ours = f"model.layers.{i}.self_attn", f"layers.{i}.mixer"
            if layer.mixer == "lightning":
                yield Piece(f"{disk}.qkv_proj.weight", f"{ours}.qkv.weight")
                yield Piece(f"{disk}.output_gate.weight", f"{ours}.gate.weight")
                yield Piece(f"{disk}.norm.weight", f"{ours}.norm.weight")
                yield Piece(f"{disk}.out_proj.weight", f"{ours}.out.weight")
            else:
                yield from attention_pieces(config, i)
            yield from expert_pieces(config, f"model.layers.{i}.block_sparse_moe", f"layers.{i}.feed_forward")


def _mixers(keys: Keys) -> list[str]:
    spelled = {0: "lightning", 1: "softmax", "linear_attention": "lightning", "full_attention": "softmax"}
    kinds = keys("layer_types", "attn_type_list")
    n_layers = keys("num_hidden_layers")
    if len(kinds) != n_layers or any(kind not in spelled for kind in kinds):
        raise CheckpointError(
            f"{keys.file}: layer_types (or attn_type_list) must hold {n_layers} of linear_attention and full_attention "
            f"(or 0 and 1), and holds {kinds!r}"
        )
    return [spelled[kind] for kind in kinds]
