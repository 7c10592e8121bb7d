"""Saved and restored, training goes on as if nothing had been; the weights are what others load."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from policy.checkpoint import load
from policy.config import PolicyConfig
from policy.model import Decoder
from rl.errors import StateError
from rl.learner.lora import LoRAConfig
from rl.learner.trainer import Trainer
from rl.state import restore_state, save_state
from tests.rl import small

NATIVE = "agentgym"


@pytest.mark.parametrize(
    ("dtype", "config"),
    [(torch.float32, {}), (torch.bfloat16, {}), (torch.bfloat16, {"lora": LoRAConfig(rank=2)})],
    ids=["fp32", "bf16", "bf16 lora"],
)
def test_training_goes_on(tmp_path: Path, dtype: torch.dtype, config: dict[str, Any]) -> None:
    samples = small.branching()
    trainer = small.trainer(small.model(dtype=dtype), **config)
    for _ in range(2):
        trainer.train_step(samples)
    more = {"cursor": 7, "head": [1, 2]}
    folder = save_state(trainer, tmp_path / "runs" / "step-2", model_type=NATIVE, more=more)
    drawn = torch.rand(3)
    assert [path.name for path in folder.parent.iterdir()] == ["step-2"]
    again = small.trainer(small.model(dtype=dtype, seed=0 if config else 5), **config)
    torch.manual_seed(99)
    assert restore_state(again, folder) == more
    assert torch.equal(torch.rand(3), drawn)
    assert again.steps == 2
    for _ in range(2):
        assert again.train_step(samples)["loss"] == trainer.train_step(samples)["loss"]
    for name, tensor in again.weights().items():
        assert torch.equal(tensor, trainer.weights()[name]), name


def test_others_load_it(tmp_path: Path) -> None:
    """transformers, from the same folder, with what was trained and merged."""
    config = PolicyConfig.of(
        {
            "vocab_size": small.V, "embed_dim": 16, "n_heads": 2, "n_kv_heads": 1, "head_dim": 8, "ffn_dim": 24,
            "max_context": 128, "norm_eps": 1e-5, "rope": {"theta": 1e4, "rotary_dim": 8}, "layers": [{}, {}],
        }
    )  # fmt: skip
    torch.manual_seed(3)
    trainer = small.trainer(Decoder(config), lora=LoRAConfig(rank=2))
    for _ in range(3):
        trainer.train_step(small.branching())
    folder = save_state(trainer, tmp_path / "state", model_type="llama")
    ids = torch.tensor([1, 2, 3, 4, 5])
    theirs = AutoModelForCausalLM.from_pretrained(folder / "model")(ids[None]).logits[0].log_softmax(-1)
    sample = small.sample(ids.tolist(), 4)
    found = theirs[:-1].gather(1, ids[1:, None])[:, 0]
    torch.testing.assert_close(trainer.logprobs([sample])[0], found, atol=1e-5, rtol=0)
    assert load(folder / "model").config == config


@pytest.mark.parametrize("limit_bytes", [20_000, 50_000], ids=["weights", "optimizer"])
def test_a_folder_is_whole_or_not_there(tmp_path: Path, limit_bytes: int) -> None:
    trainer = small.trainer(small.model(dtype=torch.float32))
    trainer.train_step(small.branching())
    save_state(trainer, tmp_path / "a", model_type=NATIVE)
    with pytest.raises(StateError, match="exists already"):
        save_state(trainer, tmp_path / "a", model_type=NATIVE)
    weights, optimizer = (tmp_path / "a" / name for name in ("model/model.safetensors", "trainer.safetensors"))
    assert 20_000 < weights.stat().st_size < 50_000 < optimizer.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limits[1]))
    try:
        with pytest.raises(StateError, match=r"the state could not be written \(.*File too large"):
            save_state(trainer, tmp_path / "b", model_type=NATIVE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_damaged_or_another_models(tmp_path: Path) -> None:
    trainer = small.trainer(small.model(dtype=torch.float32))
    trainer.train_step(small.branching())
    folder = save_state(trainer, tmp_path / "a", model_type=NATIVE)
    with pytest.raises(StateError, match="was saved without LoRA: set the config likewise"):
        restore_state(small.trainer(small.model(dtype=torch.float32), lora=LoRAConfig()), folder)
    with pytest.raises(StateError, match="was saved from a model of another shape"):
        restore_state(small.trainer(small.model(dtype=torch.float32, moe=False)), folder)
    adapted = save_state(_adapted(seed=0), tmp_path / "b", model_type=NATIVE)
    with pytest.raises(StateError, match="its adapters were trained on another base model"):
        restore_state(_adapted(seed=1), adapted)
    file = folder / "trainer.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(StateError, match=r"no whole trainer state .*go back to an earlier one"):
        restore_state(trainer, folder)
    with pytest.raises(StateError, match="no whole trainer state"):
        restore_state(trainer, tmp_path / "nowhere")


def _adapted(seed: int) -> Trainer:
    return small.trainer(small.model(dtype=torch.float32, seed=seed), lora=LoRAConfig())
