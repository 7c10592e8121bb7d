"""Server-sent events as bytes."""

from __future__ import annotations

import json
from typing import Any

KEEPALIVE = b": keepalive\n\n"
"""A comment: every parser passes over it."""


def unnamed(data: dict[str, Any]) -> bytes:
    return b"data: " + _json(data) + b"\n\n"


def named(data: dict[str, Any]) -> bytes:
    """An event that is called what its data's `type` says."""
    name: str = data["type"]
    return b"event: " + name.encode() + b"\ndata: " + _json(data) + b"\n\n"


def _json(data: dict[str, Any]) -> bytes:
    # plain ASCII: no line separator of Unicode's, no lone surrogate
    return json.dumps(data, separators=(",", ":")).encode("ascii")
