from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.chat.arguments import coerce, parameters_of
from tests.policy.chat.conversations import JSON_VALUES, TYPED, tool


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("12", {"type": "string"}, "12"),
        (" null\n", {"type": "string"}, " null\n"),
        ("12", {"type": "integer"}, 12),
        ("12.0", {"type": "integer"}, 12),
        ("12.5", {"type": "integer"}, "12.5"),
        ("12", {"type": "number"}, 12),
        ("1e3", {"type": "number"}, 1000.0),
        ("1e999", {"type": "number"}, "1e999"),
        ("NaN", {"type": "number"}, "NaN"),
        ("True", {"type": "boolean"}, True),
        ("1", {"type": "boolean"}, True),
        ("0", {"type": "boolean"}, False),
        ("2", {"type": "boolean"}, "2"),
        ("None", {"type": ["integer", "null"]}, None),
        ("7", {"type": ["integer", "null"]}, 7),
        ("null", {"anyOf": [{"type": "string"}, {"type": "null"}]}, None),
        ("x", {"anyOf": [{"type": "string"}, {"type": "null"}]}, "x"),
        ('{"a": [1]}', {"type": "object"}, {"a": [1]}),
        ('{"a": ', {"type": "object"}, '{"a": '),
        ("[1]", {"type": "object"}, "[1]"),
        ('"a"', {"type": "array"}, '"a"'),
        ("[1, 2]\n", {}, [1, 2]),
        ("hello", {}, "hello"),
        ("12", None, "12"),
        ("12", {"type": 3}, 12),
    ],
)
def test_coerce(text: str, schema: Any, value: Any) -> None:
    found = coerce(text, schema)
    assert (found, type(found)) == (value, type(value))


@given(TYPED)
def test_every_type_there_and_back(typed: tuple[str, Any]) -> None:
    kind, value = typed
    assert coerce(value if isinstance(value, str) else json.dumps(value), {"type": kind}) == value


@given(st.text(), JSON_VALUES)
def test_no_schema_makes_it_raise(text: str, schema: Any) -> None:
    coerce(text, schema)
    coerce(text, {"type": schema, "anyOf": schema})
    parameters_of([{"function": schema}, {"function": {"name": "f", "parameters": schema}}], "f")


def test_an_unknown_tool_has_no_parameters() -> None:
    assert parameters_of([tool("f", {"x": "integer"})], "g") == {}
    assert parameters_of([tool("f", {"x": "integer"})], "f") == {"x": {"type": "integer"}}
