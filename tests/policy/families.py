"""A tiny random model of each family that transformers has, with every weight far from where an error would hide."""

from __future__ import annotations

import torch
import transformers
from transformers import PreTrainedConfig, PreTrainedModel

FAMILIES = ("llama", "qwen2", "qwen3", "minimax", "minimax_m2", "minimax_m3")

_COMMON = {"vocab_size": 97, "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2,
           "max_position_embeddings": 256, "bos_token_id": 1, "eos_token_id": 2, "rms_norm_eps": 1e-3}  # fmt: skip
_EXPERTS = {"num_local_experts": 6, "num_experts_per_tok": 2}


def hf_config(family: str) -> PreTrainedConfig:
    rope = {"rope_type": "default", "rope_theta": 1e4}
    if family == "llama":
        return transformers.LlamaConfig(**_COMMON, intermediate_size=48, num_hidden_layers=3, rope_parameters=rope)
    if family == "qwen2":
        return transformers.Qwen2Config(
            **_COMMON, intermediate_size=48, num_hidden_layers=3, rope_parameters=rope, tie_word_embeddings=True
        )
    if family == "qwen3":
        return transformers.Qwen3Config(
            **_COMMON, intermediate_size=48, num_hidden_layers=3, rope_parameters=rope, head_dim=16
        )
    if family == "minimax":
        return transformers.MiniMaxConfig(
            **_COMMON, **_EXPERTS, intermediate_size=24, num_hidden_layers=8, rope_parameters=rope, block_size=8,
            layer_types=["linear_attention"] * 7 + ["full_attention"], head_dim=16,
            full_attn_alpha_factor=2.0, full_attn_beta_factor=0.9, linear_attn_alpha_factor=1.8,
            linear_attn_beta_factor=1.1, mlp_alpha_factor=1.5, mlp_beta_factor=0.8,
        )  # fmt: skip
    if family == "minimax_m2":
        return transformers.MiniMaxM2Config(
            **_COMMON, **_EXPERTS, intermediate_size=24, num_hidden_layers=2, head_dim=16,
            rope_parameters={**rope, "partial_rotary_factor": 0.5},
        )  # fmt: skip
    assert family == "minimax_m3"
    return transformers.MiniMaxM3VLTextConfig(
        **_COMMON, **_EXPERTS, intermediate_size=24, dense_intermediate_size=40, shared_intermediate_size=20,
        num_hidden_layers=3, head_dim=16, rope_parameters={**rope, "partial_rotary_factor": 0.5}, swiglu_limit=1.5,
        layer_types=["full_attention", "minimax_m3_sparse", "minimax_m3_sparse"], mlp_layer_types=["dense", "sparse", "sparse"],
        index_n_heads=2, index_head_dim=16, index_block_size=8, index_topk_blocks=3,
    )  # fmt: skip


def hf_model(family: str) -> PreTrainedModel:
    """fp32, eager experts (the others take no fp64), the same on every call."""
    config = hf_config(family)
    config._experts_implementation = "eager"
    kinds = {
        "llama": transformers.LlamaForCausalLM,
        "qwen2": transformers.Qwen2ForCausalLM,
        "qwen3": transformers.Qwen3ForCausalLM,
        "minimax": transformers.MiniMaxForCausalLM,
        "minimax_m2": transformers.MiniMaxM2ForCausalLM,
    }
    if family == "minimax_m3":
        from transformers.models.minimax_m3_vl.modeling_minimax_m3_vl import MiniMaxM3VLForCausalLM

        kinds["minimax_m3"] = MiniMaxM3VLForCausalLM
    model = kinds[family](config).eval()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, weight in [*model.named_parameters(), *model.named_buffers()]:
            if name.endswith(("norm.weight", "layernorm.weight")):
                centre = 0.0 if family == "minimax_m3" else 1.0
                weight.copy_(centre + 0.3 * torch.randn(weight.shape, generator=generator))
            elif name.endswith(("bias", "e_score_correction_bias")):
                weight.copy_(0.2 * torch.randn(weight.shape, generator=generator))
            elif name.endswith(("weight", "gate_up_proj", "down_proj")):
                gain = 0.3 if "lm_head" in name or "embed" in name else 1.0
                weight.copy_(gain * weight.shape[-1] ** -0.5 * torch.randn(weight.shape, generator=generator))
    return model


def tokens(n: int, *, seed: int = 3, vocab_size: int = 97) -> torch.Tensor:
    return torch.randint(0, vocab_size, (n,), generator=torch.Generator().manual_seed(seed))
