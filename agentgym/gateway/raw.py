"""Raw request bodies, kept without their repetitions: agents send the whole conversation with every call.

A list that begins as one that the session sent before is `{"same_as": CALL, "n": HOW_MANY, "then": [the rest]}`.
Nothing else is touched, so a body comes back as it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

LISTS = ("messages", "input", "system", "tools")
"""Fields of all dialects that are long and say again what was said."""


class Packer:
    """The requests of one session, in the order of the calls' indices."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, bytes], tuple[int, int]] = {}
        """Field and digest of a list's beginning, to the call that had it and its length."""

    def pack(self, body: Mapping[str, Any], index: int) -> dict[str, Any]:
        packed = dict(body)
        for field in LISTS:
            if isinstance(items := body.get(field), list) and items:
                packed[field] = self._pack(field, items, index)
        return packed

    def _pack(self, field: str, items: list[Any], index: int) -> Any:
        names, name = [], b""
        for item in items:
            name = blake2b(name + json.dumps(item).encode(), digest_size=16).digest()
            names.append((field, name))
        known = next((n for n in range(len(names), 0, -1) if names[n - 1] in self._seen), 0)
        for n, name_ in enumerate(names, start=1):
            self._seen.setdefault(name_, (index, n))
        if not known:
            return items
        return {"same_as": self._seen[names[known - 1]][0], "n": known, "then": items[known:]}


def unpack(packed: Mapping[str, Any], earlier: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """The body as it was; `earlier`: the unpacked bodies of the session's earlier calls, by index."""
    body = dict(packed)
    for field in LISTS:
        if isinstance(value := packed.get(field), dict) and "same_as" in value:
            body[field] = [*earlier[value["same_as"]][field][: value["n"]], *value["then"]]
    return body
