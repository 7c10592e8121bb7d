"""Tensors from a source into a decoder's weights, one at a time, each into its piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

from policy.checkpoint.errors import CheckpointError
from policy.checkpoint.layout import Piece
from policy.model import Decoder

_LISTED = 8
"""Names in an error message; the rest are counted."""


class Source(Protocol):
    @property
    def names(self) -> Sequence[str]:
        """Of all tensors, known before any is read."""
        ...

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Each tensor once; who keeps none keeps memory small."""
        ...


def fill(
    model: Decoder, pieces: Iterable[Piece], source: Source, *, canonical: Callable[[str], str | None], where: str
) -> None:
    """CheckpointError, before anything is read: names without a piece, pieces without a name, or one piece twice.

    CheckpointError, while reading: a shape or dtype that does not fit.
    """
    wanted = {piece.name: piece for piece in pieces}
    found = {name: known for name in source.names if (known := canonical(name)) is not None}
    _check_names(wanted, found, where)
    weights = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    with torch.no_grad():
        for name, tensor in source.tensors():
            if name in found:
                piece = wanted[found[name]]
                _copy(tensor, weights[piece.parameter][piece.index], f"{where}: {name}")


def _copy(tensor: Tensor, weight: Tensor, what: str) -> None:
    if tensor.shape != weight.shape:
        raise CheckpointError(f"{what} has shape {list(tensor.shape)}, and config.json asks for {list(weight.shape)}")
    if tensor.dtype not in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        raise CheckpointError(f"{what} is {tensor.dtype}, quantised: only float weights can be read; convert it first")
    weight.copy_(tensor)


def _check_names(wanted: dict[str, Piece], found: dict[str, str], where: str) -> None:
    problems = []
    if missing := sorted(wanted.keys() - set(found.values())):
        problems.append(f"{len(missing)} missing: {_some(missing)}")
    if unknown := sorted(name for name, known in found.items() if known not in wanted):
        problems.append(f"{len(unknown)} unknown: {_some(unknown)}")
    if len(set(found.values())) < len(found):
        seen: set[str] = set()
        twice = sorted({known for known in found.values() if known in seen or seen.add(known)})  # type: ignore[func-returns-value]
        problems.append(f"{len(twice)} there twice: {_some(twice)}")
    if problems:
        raise CheckpointError(f"{where}: the tensors are not those of its config.json; {'; '.join(problems)}")


def _some(names: list[str]) -> str:
    listed = ", ".join(names[:_LISTED])
    return listed if len(names) <= _LISTED else f"{listed} and {len(names) - _LISTED} more"
