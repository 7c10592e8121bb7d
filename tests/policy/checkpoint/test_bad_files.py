"""Every way a checkpoint can be wrong is one clear line that names the file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from policy.checkpoint import CheckpointError, load, save
from policy.config import ConfigError
from tests.policy.vocabularies import smollm2_file


@pytest.fixture
def folder(checkpoint: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint("llama"), tmp_path / "copy"))


def change_config(folder: Path, **change: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


def test_no_such_name() -> None:
    with pytest.raises(CheckpointError, match=r'^smolm2: no such folder or file.*did you mean "smollm2"$'):
        load("smolm2")


def test_no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"copy: neither model.safetensors nor model.safetensors.index.json"):
        load(folder)


def test_no_config(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"config.json: there is no such file"):
        load(folder)


@pytest.mark.parametrize("text", ["{", "[]", "\x00"])
def test_damaged_config(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config.json: (cannot be read as JSON|holds a JSON list)"):
        load(folder)


@pytest.mark.parametrize("keep", [0, 4, 100, 5000, -1])
def test_cut_short(folder: Path, keep: int) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"model.safetensors: damaged or cut short"):
        load(folder)


def test_noise(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 40)
    with pytest.raises(CheckpointError, match=r"model.safetensors: damaged or cut short"):
        load(folder)


def test_missing_and_unknown(folder: Path) -> None:
    def rename(weights: dict[str, torch.Tensor]) -> None:
        weights["model.layers.0.mlp.gate_prj.weight"] = weights.pop("model.layers.0.mlp.gate_proj.weight")
        del weights["model.norm.weight"]

    change_weights(folder, rename)
    with pytest.raises(
        CheckpointError,
        match=r"2 missing: model.layers.0.mlp.gate_proj.weight, model.norm.weight; "
        r"1 unknown: model.layers.0.mlp.gate_prj.weight$",
    ):
        load(folder)


def test_many_missing_are_counted(folder: Path) -> None:
    change_config(folder, num_hidden_layers=5)
    with pytest.raises(CheckpointError, match=r"18 missing: model.layers.3\.\S+( \S+){7} and 10 more$"):
        load(folder)


def test_tied_head_is_no_stranger(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    """Some tied checkpoints repeat the embedding as a head; transformers passes over it, too."""
    folder = Path(shutil.copytree(checkpoint("qwen2"), tmp_path / "copy"))
    change_weights(folder, lambda w: w.update({"lm_head.weight": w["model.embed_tokens.weight"].clone()}))
    assert load(folder).model.head is None


def test_wrong_shape(folder: Path) -> None:
    change_config(folder, vocab_size=98)
    with pytest.raises(
        CheckpointError, match=r"(embed_tokens|lm_head).weight has shape \[97, 32\].* asks for \[98, 32\]"
    ):
        load(folder)


def test_quantised(folder: Path) -> None:
    change_weights(folder, lambda w: w.update({"model.norm.weight": torch.ones(32, dtype=torch.int8)}))
    with pytest.raises(CheckpointError, match=r"model.norm.weight is torch.int8, quantised"):
        load(folder)
    change_config(folder, quantization_config={"quant_method": "fp8"})
    with pytest.raises(CheckpointError, match=r"config.json: the weights are quantised"):
        load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "gpt2"}, r"model_type is 'gpt2', and only llama, .*minimax_m3_vl.* can be read"),
        ({"hidden_act": "gelu"}, r"hidden_act is 'gelu', and only 'silu' can be computed"),
        ({"attention_bias": True}, r"attention_bias is True"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1.0}}, r"RoPE of type 'yarn'"),
        ({"rope_scaling": {"type": "linear", "factor": 2}, "rope_parameters": None}, r"RoPE of type 'linear'"),
        ({"rms_norm_eps": None}, r"config.json: rms_norm_eps is missing"),
        ({"dtype": "int8"}, r"dtype is 'int8', and only float64"),
    ],
)
def test_what_cannot_be_computed(folder: Path, change: dict[str, Any], message: str) -> None:
    change_config(folder, **change)
    with pytest.raises(CheckpointError, match=message):
        load(folder)


def test_inconsistent_config(folder: Path) -> None:
    change_config(folder, num_key_value_heads=3)
    with pytest.raises(ConfigError, match=r"n_heads 4 is no multiple of n_kv_heads 3"):
        load(folder)


def test_layer_kinds(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint("minimax"), tmp_path / "copy"))
    change_config(folder, layer_types=["full_attention"])
    with pytest.raises(CheckpointError, match=r"layer_types .* must hold 8 of"):
        load(folder)


def test_shards(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    folder = save(load(checkpoint("llama")).model, tmp_path / "cut", model_type="llama", max_shard_bytes=20_000)
    index = folder / "model.safetensors.index.json"
    file = sorted(folder.glob("*.safetensors"))[1]
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    with pytest.raises(CheckpointError, match=rf"{file.name}: damaged or cut short"):
        load(folder)
    file.unlink()
    with pytest.raises(CheckpointError, match=rf"{file.name}: there is no such file"):
        load(folder)
    file.write_bytes(whole)
    load(folder)
    data = json.loads(index.read_text())
    data["weight_map"]["model.norm.weight"] = file.name
    index.write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match=rf"{file.name}: model.norm.weight is missing"):
        load(folder)
    index.write_text("{}")
    with pytest.raises(CheckpointError, match=r"index.json: weight_map is missing"):
        load(folder)


@pytest.mark.parametrize("keep", [0, 3, 50, 3000])
def test_damaged_gguf(tmp_path: Path, keep: int) -> None:
    file = tmp_path / "cut.gguf"
    file.write_bytes(smollm2_file().read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"cut.gguf: (damaged or cut short|begins with)"):
        load(file)


def test_gguf_tensors_cut_short(tmp_path: Path) -> None:
    file = tmp_path / "cut.gguf"
    file.write_bytes(smollm2_file().read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=r"cut.gguf: damaged or cut short \(\S+ ends behind its end\)"):
        load(file)
    with pytest.raises(CheckpointError, match=r"none.gguf: no such folder or file"):
        load(tmp_path / "none.gguf")
