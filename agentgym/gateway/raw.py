"""Raw request bodies, kept without their repetitions: agents send the whole conversation with every call.

A list that begins as one that the session sent before is `{"same_as": CALL, "n": HOW_MANY, "then": [the rest]}`.
Nothing else is touched, so a body comes back as it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

LISTS = ("messages", "input", "system", "tools")
"""Fields of all dialects that are long and say again what was said."""


Name = tuple[str, bytes]
"""A field, and the digest of its list's beginning."""


@dataclass(frozen=True, slots=True)
class Packed:
    body: dict[str, Any]
    index: int
    begun: list[Name]


class Packer:
    """The requests of one session, in the order of the calls' indices."""

    def __init__(self) -> None:
        self._seen: dict[Name, int] = {}
        """The first call that had it."""

    def pack(self, body: Mapping[str, Any], index: int) -> Packed:
        """`body` as it is kept for call `index`; `keep` it once it is on disk."""
        packed: dict[str, Any] = dict(body)
        begun: list[Name] = []
        for field in LISTS:
            if isinstance(items := body.get(field), list) and items:
                names = _names(field, items)
                begun += names
                known = next((n for n in range(len(names), 0, -1) if names[n - 1] in self._seen), 0)
                if known:
                    packed[field] = {"same_as": self._seen[names[known - 1]], "n": known, "then": items[known:]}
        return Packed(packed, index, begun)

    def keep(self, packed: Packed) -> None:
        """Later requests may refer to this one."""
        for name in packed.begun:
            self._seen.setdefault(name, packed.index)


def _names(field: str, items: list[Any]) -> list[Name]:
    """Of each beginning of the list."""
    names, digest = [], b""
    for item in items:
        digest = blake2b(digest + json.dumps(item).encode(), digest_size=16).digest()
        names.append((field, digest))
    return names


def unpack(packed: Mapping[str, Any], earlier: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """The body as it was; `earlier`: the unpacked bodies of the session's earlier calls, by index."""
    body = dict(packed)
    for field in LISTS:
        if isinstance(value := packed.get(field), dict) and "same_as" in value:
            body[field] = [*earlier[value["same_as"]][field][: value["n"]], *value["then"]]
    return body
