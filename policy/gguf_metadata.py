"""The head of a GGUF file: what it says about its model, and where its tensors lie.

The `gguf` package reads it too; but it makes a view of every string's every part, which for a vocabulary of 50,000
tokens and their merges takes seconds, and this a tenth of one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

# the format's numbers for its types: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_VERSIONS = (2, 3)
_ALIGNMENT = 32
"""Of the tensors' data, where the file states none."""


class MetadataError(ValueError):
    """No GGUF file, or one that is damaged or cut short."""


@dataclass(frozen=True)
class StoredTensor:
    name: str
    shape: tuple[int, ...]
    """Outermost first, as in torch; the file says it the other way round."""
    kind: int
    """The format's number for its quantisation."""
    start: int
    """The byte of the file at which it begins."""


@dataclass(frozen=True)
class Head:
    metadata: dict[str, Any]
    """Every key with its value; arrays are lists."""
    tensors: tuple[StoredTensor, ...]


def read_metadata(file: Path) -> dict[str, Any]:
    """Every key with its value; arrays are lists. Raises MetadataError."""
    return read_head(file).metadata


def read_head(file: Path) -> Head:
    """Raises MetadataError."""
    try:
        with file.open("rb") as stream:
            if (magic := stream.read(4)) != b"GGUF":
                raise MetadataError(f"{file}: begins with {magic!r}, and a GGUF file with b'GGUF'")
            version, n_tensors, n_keys = _read(stream, "IQQ")
            if version not in _VERSIONS:
                raise MetadataError(f"{file}: is GGUF of version {version}, and only 2 and 3 can be read")
            metadata = {_read_string(stream): _read_value(stream, *_read(stream, "I")) for _ in range(n_keys)}
            headers = [_read_tensor_header(stream) for _ in range(n_tensors)]
            alignment = metadata.get("general.alignment", _ALIGNMENT)
            data = -(-stream.tell() // alignment) * alignment
            tensors = (StoredTensor(name, shape, kind, data + offset) for name, shape, kind, offset in headers)
            return Head(metadata, tuple(tensors))
    except (struct.error, KeyError, OverflowError, MemoryError, RecursionError, UnicodeDecodeError) as error:
        raise MetadataError(f"{file}: damaged or cut short ({error})") from error
    except OSError as error:
        raise MetadataError(f"{file}: cannot be read: {error.strerror}") from error


def _read_tensor_header(stream: BinaryIO) -> tuple[str, tuple[int, ...], int, int]:
    """Name, shape, kind, and the offset in the tensors' data."""
    name = _read_string(stream)
    [n_dims] = _read(stream, "I")
    *dims, kind, offset = _read(stream, f"{n_dims}QIQ")
    return name, tuple(reversed(dims)), kind, offset


def _read_value(stream: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _read_string(stream)
    if kind == _ARRAY:
        inner, n = _read(stream, "IQ")
        if inner in _NUMBERS:
            return list(_read(stream, f"{n}{_NUMBERS[inner]}"))
        return [_read_value(stream, inner) for _ in range(n)]
    return _read(stream, _NUMBERS[kind])[0]


def _read_string(stream: BinaryIO) -> str:
    [n] = _read(stream, "Q")
    return str(_read(stream, f"{n}s")[0], "utf-8")


def _read(stream: BinaryIO, layout: str) -> tuple[Any, ...]:
    """Little-endian, without padding."""
    layout = f"<{layout}"
    return struct.unpack(layout, stream.read(struct.calcsize(layout)))
