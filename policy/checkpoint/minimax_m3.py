"""MiniMax-M3, the text model: softmax and MSA layers, norms by weight + 1, clamped SwiGLU, experts beside a shared one.

Two spellings of the tensors exist: the released vision-language files (a prefix, experts one by one, gate and up apart)
and what transformers saves of a text model (fused). Both are read, the second is written. Vision towers and layers for
multi-token prediction are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from policy.checkpoint.errors import CheckpointError
from policy.checkpoint.layout import (
    Keys,
    Piece,
    attention_pieces,
    expert_pieces,
    mlp_pieces,
    rows,
    shared_pieces,
    write_rope,
)
from policy.config import PolicyConfig

_OTHER_PARTS = ("vision_tower.", "multi_modal_projector.", "patch_merge_mlp.", "mtp.")


class MiniMaxM3Layout:
    model_types: tuple[str, ...] = ("minimax_m3_vl_text", "minimax_m3_vl")

    def read_config(self, keys: Keys) -> PolicyConfig:
        sparse = Keys(keys.get("sparse_attention_config", default={}), f"{keys.file}: sparse_attention_config")
        n_layers, n_heads, n_kv_heads = (
            keys(f"num_{what}") for what in ("hidden_layers", "attention_heads", "key_value_heads")
        )
        mixers = _kinds(keys, "layer_types", sparse.get("sparse_attention_freq"), n_layers, ("softmax", "msa"))
        forwards = _kinds(keys, "mlp_layer_types", keys.get("moe_layer_freq"), n_layers, ("dense", "moe"))
        index = {
            ours: sparse.get(old, default=keys.get(new, default=default))
            for ours, new, old, default in (
                ("heads", "index_n_heads", "sparse_num_index_heads", n_kv_heads),
                ("index_dim", "index_head_dim", "sparse_index_dim", 128),
                ("block_size", "index_block_size", "sparse_block_size", 128),
                ("top_k", "index_topk_blocks", "sparse_topk_blocks", 16),
                ("local", "index_local_blocks", "sparse_local_block", 1),
            )
        }
        heads, local = index.pop("heads"), index.pop("local")
        if "msa" in mixers and (heads != n_kv_heads or local != 1):
            raise CheckpointError(
                f"{keys.file}: {heads} index heads and {local} local blocks, and only {n_kv_heads} heads (one for each "
                "kv head) and 1 local block can be computed"
            )
        return PolicyConfig.of(
            {
                "vocab_size": keys("vocab_size"),
                "embed_dim": keys("hidden_size"),
                "n_heads": n_heads,
                "n_kv_heads": n_kv_heads,
                "head_dim": keys("head_dim"),
                "ffn_dim": keys("dense_intermediate_size"),
                "max_context": keys("max_position_embeddings"),
                "layers": [
                    {"mixer": mixer, "feed_forward": forward} for mixer, forward in zip(mixers, forwards, strict=True)
                ],
                "rope": keys.rope(keys("head_dim")),
                "norm_eps": keys("rms_norm_eps"),
                "norm_plus_one": True,
                "qk_norm": "head",
                "tie_embeddings": keys.get("tie_word_embeddings", default=False),
                "clamped_swiglu": {
                    "alpha": keys.get("swiglu_alpha", default=1.702),
                    "limit": keys.get("swiglu_limit", default=7.0),
                },
                "msa": index if "msa" in mixers else None,
                "moe": _moe(keys) if "moe" in forwards else None,
            }
        )

    def write_config(self, config: PolicyConfig) -> dict[str, Any]:
        assert config.clamped_swiglu is not None
        written: dict[str, Any] = {
            "architectures": ["MiniMaxM3VLForCausalLM"],
            "model_type": "minimax_m3_vl_text",
            "vocab_size": config.vocab_size,
            "hidden_size": config.embed_dim,
            "dense_intermediate_size": config.ffn_dim,
            "num_hidden_layers": config.n_layers,
            "num_attention_heads": config.n_heads,
            "num_key_value_heads": config.n_kv_heads,
            "head_dim": config.head_dim,
            "hidden_act": "silu",
            "max_position_embeddings": config.max_context,
            "rms_norm_eps": config.norm_eps,
            "tie_word_embeddings": config.tie_embeddings,
            "swiglu_alpha": config.clamped_swiglu.alpha,
            "swiglu_limit": config.clamped_swiglu.limit,
            "layer_types": [
                "minimax_m3_sparse" if layer.mixer == "msa" else "full_attention" for layer in config.layers
            ],
            "mlp_layer_types": ["sparse" if layer.feed_forward == "moe" else "dense" for layer in config.layers],
            **write_rope(config),
        }
        if config.msa is not None:
            written |= {
                "index_n_heads": config.n_kv_heads,
                "index_head_dim": config.msa.index_dim,
                "index_block_size": config.msa.block_size,
                "index_topk_blocks": config.msa.top_k,
                "index_local_blocks": 1,
            }
        if config.moe is not None:
            written |= {
                "num_local_experts": config.moe.n_experts,
                "num_experts_per_tok": config.moe.top_k,
                "intermediate_size": config.moe.expert_dim,
                "shared_intermediate_size": config.moe.shared_dim,
                "routed_scaling_factor": config.moe.routed_scaling,
                "router_aux_loss_coef": config.moe.aux_loss_coeff,
            }
        return written

    def canonical(self, name: str) -> str | None:
        """Tensors keep the names of the released files, without the prefix and under `mlp`."""
        name = name.removeprefix("language_model.")
        if name.startswith(_OTHER_PARTS) or ".mtp." in name:
            return None
        return (
            name.replace(".block_sparse_moe.e_score_correction_bias", ".mlp.gate.e_score_correction_bias")
            .replace(".block_sparse_moe.", ".mlp.")
            .replace(".self_attn.index_", ".self_attn.indexer.")
        )

    def pieces(self, config: PolicyConfig, *, fused: bool) -> Iterator[Piece]:
        yield from shared_pieces(config)
        for i, layer in enumerate(config.layers):
            yield from attention_pieces(config, i)
            if layer.mixer == "msa":
                yield from _index_pieces(config, i)
            disk, ours = f"model.layers.{i}.mlp", f"layers.{i}.feed_forward"
            if layer.feed_forward == "dense":
                yield from _mlp_pieces(disk, ours, config.ffn_dim, fused)
                continue
            assert config.moe is not None
            yield Piece(f"{disk}.gate.e_score_correction_bias", f"{ours}.selection_bias_X")
            if fused:
                yield Piece(f"{disk}.gate.weight", f"{ours}.router.weight")
                yield Piece(f"{disk}.experts.gate_up_proj", f"{ours}.gate_up_XFE")
                yield Piece(f"{disk}.experts.down_proj", f"{ours}.down_XEF")
            else:
                yield from expert_pieces(config, disk, ours)
            if config.moe.shared_dim:
                yield from _mlp_pieces(f"{disk}.shared_experts", f"{ours}.shared", config.moe.shared_dim, fused)


def _index_pieces(config: PolicyConfig, layer: int) -> Iterator[Piece]:
    assert config.msa is not None
    disk, ours = f"model.layers.{layer}.self_attn.indexer", f"layers.{layer}.mixer.index"
    queries = config.n_kv_heads * config.msa.index_dim
    yield Piece(f"{disk}.q_proj.weight", f"{ours}.proj.weight", rows(0, queries))
    yield Piece(f"{disk}.k_proj.weight", f"{ours}.proj.weight", rows(queries, config.msa.index_dim))
    yield Piece(f"{disk}.q_norm.weight", f"{ours}.q_norm.weight")
    yield Piece(f"{disk}.k_norm.weight", f"{ours}.k_norm.weight")


def _mlp_pieces(disk: str, ours: str, width: int, fused: bool) -> Iterator[Piece]:
    if not fused:
        yield from mlp_pieces(disk, ours, width)
        return
    yield Piece(f"{disk}.gate_up_proj.weight", f"{ours}.gate_up.weight")
    yield Piece(f"{disk}.down_proj.weight", f"{ours}.down.weight")


def _moe(keys: Keys) -> dict[str, Any]:
    return {
        "n_experts": keys("num_local_experts", "num_experts"),
        "top_k": keys("num_experts_per_tok"),
        "expert_dim": keys("intermediate_size"),
        "router": "sigmoid",
        "selection_bias": True,
        "routed_scaling": float(keys.get("routed_scaling_factor", default=1.0)),
        "shared_dim": keys.get("shared_intermediate_size", default=0),
        "aux_loss_coeff": keys.get("router_aux_loss_coef", default=0.0),
    }


def _kinds(keys: Keys, key: str, flags: list[int] | None, n_layers: int, kinds: tuple[str, str]) -> list[str]:
    """What each layer is: by name, or by the released files' 0 and 1."""
    names = {"full_attention": 0, "minimax_m3_sparse": 1, "dense": 0, "sparse": 1, 0: 0, 1: 1}
    stated = keys.get(key, default=flags)
    if stated is None or len(stated) != n_layers or any(kind not in names for kind in stated):
        raise CheckpointError(f"{keys.file}: {key} must say what each of {n_layers} layers is, and is {stated!r}")
    return [kinds[names[kind]] for kind in stated]
