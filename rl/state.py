"""A trainer's state as a folder that is whole or not there: what a killed run goes on from, and others can load.

    model/                 a checkpoint as transformers and `policy.checkpoint.load` read it; LoRA is merged into it
    trainer.safetensors    masters and moments of the optimizer, adapters, the random generators
    trainer.json           train steps, and what the caller put beside them

The loop's own state (queue, window, cursor) is not known here: it comes along as `more`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from policy.checkpoint import CheckpointError, load
from policy.checkpoint import save as save_checkpoint
from rl.errors import StateError
from rl.learner.lora import merged, plain
from rl.learner.trainer import Trainer

_TENSORS, _JSON, _MODEL = "trainer.safetensors", "trainer.json", "model"


def save_state(
    trainer: Trainer,
    folder: str | Path,
    *,
    model_type: str,
    tokenizer_from: str | Path | None = None,
    more: dict[str, Any] | None = None,
) -> Path:
    """model_type: the family to write as. more: JSON that `restore_state` gives back.

    StateError: the folder exists, or cannot be written; nothing of it is left then. CheckpointError: the family cannot
    say this model.
    """
    folder = Path(folder)
    if folder.exists():
        raise StateError(f"{folder}: exists already; give a folder that does not")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        save_checkpoint(plain(trainer.model), partial / _MODEL, model_type=model_type, tokenizer_from=tokenizer_from)
        save_file({name: tensor.contiguous() for name, tensor in _tensors(trainer).items()}, partial / _TENSORS)
        told = {"steps": trainer.steps, "lora": trainer.config.lora is not None, "more": more or {}}
        (partial / _JSON).write_text(json.dumps(told) + "\n", encoding="utf-8")
        partial.chmod(0o755)
        partial.rename(folder)
    except (OSError, SafetensorError) as error:
        raise StateError(f"{folder}: the state could not be written ({error}): make room, and go on") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def restore_state(trainer: Trainer, folder: str | Path) -> dict[str, Any]:
    """Bring a trainer of the same model and config to where it was saved; `more` as it was given.

    StateError: something is missing, damaged or of another model.
    """
    folder = Path(folder)
    try:
        told = json.loads((folder / _JSON).read_text(encoding="utf-8"))
        tensors = load_file(folder / _TENSORS)
        saved = load(folder / _MODEL, dtype=trainer.model.embedding.weight.dtype).model.state_dict()
    except (OSError, ValueError, SafetensorError, CheckpointError) as error:
        raise StateError(f"{folder}: no whole trainer state ({error}); go back to an earlier one") from None
    if told["lora"] != (trainer.config.lora is not None):
        raise StateError(f"{folder}: was saved {'with' if told['lora'] else 'without'} LoRA: set the config likewise")
    weights, generators, optimizer = (
        {name.partition("/")[2]: tensor for name, tensor in tensors.items() if name.startswith(kind)}
        for kind in ("weight/", "generator/", "optimizer/")
    )
    try:
        trainer.model.load_state_dict(weights or saved, strict=not weights)
    except RuntimeError:
        raise StateError(f"{folder}: was saved from a model of another shape: build the trainer on that one") from None
    trainer.optimizer.restore(optimizer, told["steps"])
    if weights and any(not torch.equal(tensor.cpu(), saved[name]) for name, tensor in merged(trainer.model).items()):
        raise StateError(f"{folder}: its adapters were trained on another base model: load that one first")
    torch.set_rng_state(generators["cpu"])
    if "cuda" in generators and torch.cuda.is_available():
        torch.cuda.set_rng_state(generators["cuda"])
    more: dict[str, Any] = told["more"]
    return more


def _tensors(trainer: Trainer) -> dict[str, Tensor]:
    tensors = {f"optimizer/{name}": tensor for name, tensor in trainer.optimizer.state().items()}
    if trainer.config.lora is not None:
        tensors |= {f"weight/{name}": w.detach() for name, w in trainer.model.named_parameters() if w.requires_grad}
    tensors["generator/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["generator/cuda"] = torch.cuda.get_rng_state()
    return tensors
