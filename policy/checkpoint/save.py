"""A policy into a folder that transformers and `load` read: config.json, safetensors shards, the tokenizer's files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from policy.checkpoint.errors import CheckpointError
from policy.checkpoint.layout import Keys, Layout, Piece
from policy.checkpoint.layouts import LAYOUTS
from policy.checkpoint.shards import INDEX, SINGLE
from policy.model import Decoder

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
)


def save(
    model: Decoder,
    folder: str | Path,
    *,
    model_type: str,
    tokenizer_from: str | Path | None = None,
    max_shard_bytes: int = 5_000_000_000,
) -> Path:
    """The folder appears whole or not at all. model_type: the family to write as, one of the layouts'.

    tokenizer_from: a folder whose tokenizer files come along. Memory beside the model: one shard.
    CheckpointError: the folder exists, the family is unknown, or it cannot say this config.
    """
    folder = Path(folder)
    if model_type not in LAYOUTS:
        raise CheckpointError(f"model_type is {model_type!r}, and only {', '.join(LAYOUTS)} can be written")
    if folder.exists():
        raise CheckpointError(f"{folder}: exists already; give a folder that does not")
    layout = LAYOUTS[model_type]
    config = _config(layout, model)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        _write_json(partial / "config.json", config)
        _write_weights(partial, list(layout.pieces(model.config, fused=True)), model, max_shard_bytes)
        for name in _TOKENIZER_FILES if tokenizer_from is not None else ():
            if (file := Path(tokenizer_from or "") / name).exists():
                shutil.copyfile(file, partial / name)
        partial.chmod(0o755)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return folder


def _config(layout: Layout, model: Decoder) -> dict[str, Any]:
    """Read back at once: what a family cannot say must not get lost in silence."""
    try:
        written = layout.write_config(model.config)
        same = layout.read_config(Keys(written, "config.json")) == model.config
    except (AssertionError, ValueError):
        same = False
    if not same:
        raise CheckpointError(f"the config has parts that {layout.model_types[0]!r} checkpoints cannot say")
    return {**written, "dtype": str(model.embedding.weight.dtype).removeprefix("torch.")}


def _write_weights(folder: Path, pieces: list[Piece], model: Decoder, max_shard_bytes: int) -> None:
    weights = {**dict(model.named_parameters()), **dict(model.named_buffers())}

    def tensor(piece: Piece) -> Tensor:
        return weights[piece.parameter][piece.index].detach()

    shards = list(_shards(((piece, tensor(piece).nbytes) for piece in pieces), max_shard_bytes))
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        file = SINGLE if len(shards) == 1 else f"model-{number:05}-of-{len(shards):05}.safetensors"
        # clones, since pieces of one weight share memory, which the format refuses
        tensors = {piece.name: tensor(piece).to("cpu", copy=True).contiguous() for piece in shard}
        save_file(tensors, folder / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(tensors, file)
    if len(shards) > 1:
        total = sum(tensor(piece).nbytes for piece in pieces)
        _write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": weight_map})


def _shards(pieces: Iterable[tuple[Piece, int]], max_bytes: int) -> Iterator[list[Piece]]:
    """In order, each at most max_bytes, or one tensor."""
    shard: list[Piece] = []
    size = 0
    for piece, n_bytes in pieces:
        if shard and size + n_bytes > max_bytes:
            yield shard
            shard, size = [], 0
        shard.append(piece)
        size += n_bytes
    yield shard


def _write_json(file: Path, data: dict[str, Any]) -> None:
    file.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
