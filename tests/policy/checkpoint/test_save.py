"""What we save is what transformers and `load` read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from policy.checkpoint import CheckpointError, load, save
from policy.model import Decoder, PackedContext
from tests.policy.families import FAMILIES, tokens


def logits(model: Decoder, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.logits(model(ids, PackedContext([len(ids)])))


@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_loads_it(checkpoint: Callable[[str], Path], family: str, tmp_path: Path) -> None:
    loaded = load(checkpoint(family))
    save(loaded.model, tmp_path / "ours", model_type=loaded.model_type)
    ids = tokens(61)
    theirs, report = _class(family).from_pretrained(
        tmp_path / "ours", experts_implementation="eager", output_loading_info=True
    )
    assert not report["missing_keys"] or all("decay" in k or "slope" in k for k in report["missing_keys"])
    assert not report["unexpected_keys"]
    with torch.no_grad():
        torch.testing.assert_close(theirs(ids[None]).logits[0], logits(loaded.model, ids), atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_there_and_back(checkpoint: Callable[[str], Path], family: str, tmp_path: Path) -> None:
    """Bit for bit, in shards of a few tensors, and in bfloat16 from float32."""
    loaded = load(checkpoint(family))
    save(loaded.model, tmp_path / "ours", model_type=loaded.model_type, max_shard_bytes=20_000)
    assert len(list((tmp_path / "ours").glob("*.safetensors"))) > 2
    again = load(tmp_path / "ours")
    assert again.config == loaded.config
    for name, weight in loaded.model.state_dict().items():
        assert torch.equal(weight, again.model.state_dict()[name]), name
    half = load(tmp_path / "ours", dtype=torch.bfloat16).model
    for name, weight in half.named_parameters():
        assert torch.equal(weight, loaded.model.get_parameter(name).to(torch.bfloat16)), name
    save(half, tmp_path / "half", model_type=loaded.model_type)
    assert load(tmp_path / "half").model.embedding.weight.dtype == torch.bfloat16


def test_selection_bias_stays_fp32(checkpoint: Callable[[str], Path]) -> None:
    """Rounded, it would choose other experts."""
    model = load(checkpoint("minimax_m2"), dtype=torch.bfloat16).model
    assert model.layers[0].feed_forward.selection_bias_X.dtype == torch.float32


def test_released_m3_names(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    """The released vision-language files: a prefix, experts one by one, gate and up apart, other towers beside."""
    folder = checkpoint("minimax_m3")
    released: dict[str, torch.Tensor] = {"vision_tower.patch.weight": torch.ones(2), "mtp.norm.weight": torch.ones(2)}
    for name, tensor in load_file(folder / "model.safetensors").items():
        new = name.replace("self_attn.indexer.", "self_attn.index_")
        if "mlp.gate" in name or ".experts." in name or "shared" in name:
            new = new.replace(".mlp.gate.e_score", ".block_sparse_moe.e_score").replace(".mlp.", ".block_sparse_moe.")
        if new.endswith("experts.gate_up_proj"):
            stem = new.removesuffix("gate_up_proj")
            for x, expert in enumerate(tensor):
                released[f"language_model.{stem}{x}.w1.weight"], released[f"language_model.{stem}{x}.w3.weight"] = (
                    half.clone() for half in expert.chunk(2)
                )
        elif new.endswith("experts.down_proj"):
            stem = new.removesuffix("down_proj")
            released |= {f"language_model.{stem}{x}.w2.weight": expert.clone() for x, expert in enumerate(tensor)}
        elif new.endswith("gate_up_proj.weight"):
            stem = new.removesuffix("gate_up_proj.weight")
            for part, half in zip(("gate_proj", "up_proj"), tensor.chunk(2), strict=True):
                released[f"language_model.{stem}{part}.weight"] = half.clone()
        else:
            released[f"language_model.{new}"] = tensor
    assert any(".block_sparse_moe.shared_experts.gate_proj." in name for name in released)
    assert any(".self_attn.index_q_norm." in name for name in released)
    save_file(released, tmp_path / "model.safetensors")
    text = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "minimax_m3_vl", "text_config": text}))
    ids = tokens(40)
    assert torch.equal(logits(load(tmp_path).model, ids), logits(load(folder).model, ids))


def test_m1_spelling(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    """The released MiniMax files spell their config in another way."""
    folder = checkpoint("minimax")
    theirs = json.loads((folder / "config.json").read_text())
    old = {key: theirs[key] for key in ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "head_dim",
                                        "num_attention_heads", "num_key_value_heads", "max_position_embeddings",
                                        "num_local_experts", "num_experts_per_tok", "rms_norm_eps", "hidden_act",
                                        "router_aux_loss_coef")}  # fmt: skip
    old |= {
        "model_type": "minimax_m1",
        "rope_theta": 1e4,
        "postnorm": True,
        "shared_intermediate_size": 0,
        "attn_type_list": [0] * 7 + [1],
        "layernorm_full_attention_alpha": theirs["full_attn_alpha_factor"],
        "layernorm_full_attention_beta": theirs["full_attn_beta_factor"],
        "layernorm_linear_attention_alpha": theirs["linear_attn_alpha_factor"],
        "layernorm_linear_attention_beta": theirs["linear_attn_beta_factor"],
        "layernorm_mlp_alpha": theirs["mlp_alpha_factor"],
        "layernorm_mlp_beta": theirs["mlp_beta_factor"],
    }
    (tmp_path / "config.json").write_text(json.dumps(old))
    (tmp_path / "model.safetensors").symlink_to(folder / "model.safetensors")
    assert load(tmp_path).config == load(folder).config
    (tmp_path / "config.json").write_text(json.dumps({**old, "rotary_dim": 8}))
    assert load(tmp_path).config.rope.rotary_dim == 8


def test_saved_buffers_are_no_weights(checkpoint: Callable[[str], Path]) -> None:
    with safe_open(checkpoint("minimax") / "model.safetensors", framework="pt") as file:
        assert "model.layers.0.self_attn.slope_rate" in file.keys()
    load(checkpoint("minimax"))


def test_tokenizer_files_come_along(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    save(load(checkpoint("llama")).model, tmp_path / "new", model_type="llama", tokenizer_from=tmp_path)
    assert (tmp_path / "new" / "tokenizer.json").read_text() == "{}"


def test_refusals(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    model = load(checkpoint("minimax_m3")).model
    with pytest.raises(CheckpointError, match="cannot say"):
        save(model, tmp_path / "new", model_type="llama")
    with pytest.raises(CheckpointError, match="'gpt', and only llama, "):
        save(model, tmp_path / "new", model_type="gpt")
    with pytest.raises(CheckpointError, match="exists already"):
        save(model, tmp_path, model_type="minimax_m3_vl_text")
    assert not list(tmp_path.iterdir())


def _class(family: str) -> type[transformers.PreTrainedModel]:
    if family != "minimax_m3":
        return transformers.AutoModelForCausalLM
    from transformers.models.minimax_m3_vl.modeling_minimax_m3_vl import MiniMaxM3VLForCausalLM

    return MiniMaxM3VLForCausalLM
