"""Hypothesis strategies for messages, tools and everything that formats stumble over."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from policy.tokenizer import Tokenizer, clean

TRAPS = (
    "<|im_end|>", "<|im_start|>assistant\n", "</parameter>", "</parameter>\n", "</invoke>", "<parameter name=\"x\">", "[e~[",
    "]~b]ai\n", "</think>", "<think>", "<tool_call>", "</tool_call>", "</minimax:tool_call>", "\"", "'", "\\", "\n", "  ",
    "{", "}", "é", "日本語", "👩‍👩‍👧", "\u2028", "null", "true", "12", "<response>",
)  # fmt: skip

# no control characters: SmolLM2's vocabulary lacks some of them
_CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co", "Cn"))
TEXTS = st.lists(st.one_of(st.text(_CHARACTERS, max_size=8), st.sampled_from(TRAPS)), max_size=5).map("".join)
NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,7}", fullmatch=True)
JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=5,
)
TYPED = st.one_of(
    st.tuples(st.just("string"), TEXTS),
    st.tuples(st.just("integer"), st.integers()),
    st.tuples(st.just("number"), st.floats(allow_nan=False, allow_infinity=False)),
    st.tuples(st.just("boolean"), st.booleans()),
    st.tuples(st.just("null"), st.none()),
    st.tuples(st.just("object"), st.dictionaries(TEXTS, JSON_VALUES, max_size=3)),
    st.tuples(st.just("array"), st.lists(JSON_VALUES, max_size=3)),
)


def tool(name: str, types: dict[str, Any]) -> dict[str, Any]:
    properties = {key: {"type": kind} for key, kind in types.items()}
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": "Does it.",
            "parameters": {"type": "object", "properties": properties},
        },
    }


def call(name: str, arguments: Any, id: str = "call_1") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


@st.composite
def replies(draw: st.DrawFn, contents: st.SearchStrategy[str] = TEXTS) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An assistant's message and the tools that it calls."""
    message: dict[str, Any] = {"role": "assistant", "content": draw(contents)}
    if draw(st.booleans()):
        message["reasoning_content"] = draw(contents.filter(bool))
    tools, calls = [], []
    for name in draw(st.lists(NAMES, max_size=3, unique=True)):
        arguments = draw(st.dictionaries(NAMES, TYPED, max_size=3))
        tools.append(tool(name, {key: kind for key, (kind, _) in arguments.items()}))
        calls.append(call(name, {key: value for key, (_, value) in arguments.items()}))
    if calls:
        message["tool_calls"] = calls
    return message, tools


def inputs() -> st.SearchStrategy[dict[str, Any]]:
    """What others than the model write."""
    users = st.fixed_dictionaries({"role": st.just("user"), "content": TEXTS})
    results = st.fixed_dictionaries({"role": st.just("tool"), "content": TEXTS, "tool_call_id": st.just("call_1")})
    return st.one_of(users, results)


def histories() -> st.SearchStrategy[list[dict[str, Any]]]:
    system = st.lists(st.fixed_dictionaries({"role": st.just("system"), "content": TEXTS}), max_size=1)
    turns = st.lists(st.one_of(inputs(), replies().map(lambda pair: pair[0])), max_size=5)
    first = st.fixed_dictionaries({"role": st.just("user"), "content": TEXTS})
    return st.tuples(system, first, turns).map(lambda parts: [*parts[0], parts[1], *parts[2]])


def body(rendered: Any, tokenizer: Tokenizer, n: int = -1) -> tuple[int, ...]:
    """The ids that a model would have sampled for the n-th span."""
    span = rendered.spans[n]
    return tuple(rendered.ids[span.body_start : span.body_end])


def essential(message: dict[str, Any]) -> tuple[Any, ...]:
    """Without ids, and with arguments as values."""
    calls = [(c["function"]["name"], json.loads(c["function"]["arguments"])) for c in message.get("tool_calls", [])]
    return (message["role"], clean(message["content"] or ""), message.get("reasoning_content", ""), calls)
