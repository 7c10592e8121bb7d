"""Arguments that a format writes as plain text, read by the types that the tool's JSON schema asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from policy.chat.message import Tool, read_json

_WORDS = {"true": True, "false": False, "null": None, "none": None}
"""In any case, as a model that thinks in Python writes them."""


def parameters_of(tools: Sequence[Tool], name: str) -> Mapping[str, Any]:
    """The schema of each parameter of a tool; empty where the tool is unknown."""
    for tool in tools:
        function = tool.get("function")
        if isinstance(function, Mapping) and function.get("name") == name:
            schema = function.get("parameters")
            properties = schema.get("properties") if isinstance(schema, Mapping) else None
            return properties if isinstance(properties, Mapping) else {}
    return {}


def coerce(text: str, schema: Any) -> Any:
    """The value that `text` spells under `schema`; the text itself where that is a string, or spells nothing else.

    Of several types string is tried last: "5" under integer | string is 5.
    """
    types = _types(schema)
    if types == {"string"}:
        return text
    value: Any
    try:
        value = read_json(text)
    except ValueError:
        value = _WORDS.get(text.strip().lower(), text)
    if types == {"boolean"} and text.strip() in ("0", "1"):
        return value == 1
    if isinstance(value, float) and value.is_integer() and "integer" in types and "number" not in types:
        return int(value)
    return value if _type_of(value) in types or (_type_of(value) == "integer" and "number" in types) else text


def _types(schema: Any) -> set[str]:
    """Names of JSON types; string where nothing is said, all where anything goes."""
    if not isinstance(schema, Mapping):
        return {"string"}
    stated = schema.get("type")
    if isinstance(stated, str):
        return {stated}
    if isinstance(stated, list):
        return {kind for kind in stated if isinstance(kind, str)}
    parts = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(parts, list):
        return set().union(*map(_types, parts))
    return {"string", "integer", "number", "boolean", "null", "object", "array"}


def _type_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "quoted"  # text in quotes is the text, quotes and all
        case list():
            return "array"
        case _:
            return "object"
