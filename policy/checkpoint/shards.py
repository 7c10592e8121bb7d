"""The safetensors files of a folder, read tensor by tensor: one file is open at a time, and mapped, not loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from policy.checkpoint.errors import CheckpointError

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"


@dataclass(frozen=True)
class Shards:
    """Implements Source."""

    files: Mapping[Path, tuple[str, ...]]
    """The tensors of each file."""

    @property
    def names(self) -> list[str]:
        return [name for names in self.files.values() for name in names]

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        for file, names in self.files.items():
            with _opened(file) as shard:
                for name in names:
                    yield name, shard.get_tensor(name)


def open_shards(folder: Path) -> Shards:
    """CheckpointError: no weights, a missing or damaged file, an index that disagrees with its files."""
    if not (folder / INDEX).exists():
        if not (folder / SINGLE).exists():
            raise CheckpointError(f"{folder}: neither {SINGLE} nor {INDEX} is there, and no other form can be read")
        return Shards({folder / SINGLE: _names(folder / SINGLE)})
    weight_map = read_json(folder / INDEX).get("weight_map")
    if not isinstance(weight_map, dict):
        raise CheckpointError(f"{folder / INDEX}: weight_map is missing")
    files = {folder / name: _names(folder / name) for name in sorted(set(weight_map.values()))}
    for name, file in weight_map.items():
        if name not in files[folder / file]:
            raise CheckpointError(f"{folder / file}: {name} is missing, which {INDEX} says is there")
    return Shards(files)


def read_json(file: Path) -> dict[str, Any]:
    """CheckpointError: the file is missing or no JSON object."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{file}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file}: cannot be read as JSON ({error})") from None
    if not isinstance(data, dict):
        raise CheckpointError(f"{file}: holds a JSON {type(data).__name__}, and an object is wanted")
    return data


def _names(file: Path) -> tuple[str, ...]:
    with _opened(file) as shard:
        return tuple(shard.keys())


def _opened(file: Path) -> Any:
    if not file.exists():
        raise CheckpointError(f"{file}: there is no such file")
    try:
        return safe_open(file, framework="pt", device="cpu")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file}: damaged or cut short ({error}); fetch it again") from None
