"""Whatever is sent: no answer is the server's fault, every refusal has its dialect's shape, every stream is whole."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentgym.gateway import Journal
from tests.gateway.dialects import clients
from tests.gateway.fakes import TokenFake
from tests.gateway.served import PATHS, TOOL, Served, error_of

COUNT = "/v1/messages/count_tokens"
SPOKEN = {path: dialect for dialect, path in PATHS.items()} | {COUNT: "messages"}
every_path = pytest.mark.parametrize("path", SPOKEN)
fuzz = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

CALL = {"id": "c", "type": "function", "function": {"name": "bash", "arguments": "{}"}}
VALID: dict[str, dict[str, Any]] = {
    "chat": {
        "model": "any",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "go"}]},
            {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c", "content": "a.py"},
        ],
        "tools": [{"type": "function", "function": TOOL}, {"type": "web_search"}],
        "stream_options": {"include_usage": True}, "max_completion_tokens": 9, "max_tokens": 9, "n": 1,
        "temperature": 1, "top_p": 1, "stop": ["END"], "logprobs": True, "tool_choice": "auto", "functions": None,
    },
    "responses": {
        "model": "any",
        "instructions": "be brief",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "go"}]},
            {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "hm"}], "content": [
                {"type": "reasoning_text", "text": "hm"}], "encrypted_content": "aG0="},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
            {"type": "function_call", "call_id": "c", "name": "bash", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "a.py"}]},
        ],
        "tools": [{"type": "function", **TOOL}, {"type": "web_search"}],
        "include": ["reasoning.encrypted_content"], "max_output_tokens": 9, "temperature": 1, "top_p": 1,
        "previous_response_id": None, "conversation": None, "background": False, "metadata": {}, "store": False,
    },
    "messages": {
        "model": "any",
        "max_tokens": 9,
        "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "go"}]},
            {"role": "system", "content": "agents: none"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "", "signature": "aG0="},
                {"type": "redacted_thinking", "data": "aG0="},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "c", "name": "bash", "input": {"command": "ls"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c", "is_error": True, "content": [
                    {"type": "text", "text": "a.py"}]},
            ]},
        ],
        "tools": [{"name": "bash", "input_schema": {"type": "object"}}, {"type": "web_search_1", "name": "search"}],
        "stop_sequences": ["END"], "temperature": 1, "top_p": 1, "thinking": {"type": "adaptive"},
    },
}  # fmt: skip
WRONG: list[Any] = [None, True, 0, -1, 1e300, "", "x", [], {}, [None], [[]], [{}], {"type": None}, {"type": "text"}]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A model with tokens, and a journal: what is let in must also be rendered, recorded and written."""
    journal = Journal(tmp_path_factory.mktemp("fuzz") / "run.calls.jsonl")
    with Served(TokenFake(lambda ids: f"reply to {len(ids)}"), journal) as served:
        yield served
    journal.close()


def check(path: str, response: httpx.Response, body: Any = None) -> None:
    dialect = SPOKEN[path]
    if response.status_code != 200:
        assert response.status_code == 400, response.text
        assert error_of(dialect, response)["type"] == "invalid_request_error"
    elif path == COUNT:
        assert response.json()["input_tokens"] >= 0
    elif isinstance(body, dict) and body.get("stream") is True:
        assert getattr(clients, dialect)(response.content)
    else:
        assert response.json()["model"]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def changed(body: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """With another value there; an Ellipsis: with none."""
    new: Any = copy.deepcopy(body)
    holder = new
    for key in place[:-1]:
        holder = holder[key]
    if value is ...:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return new  # type: ignore[no-any-return]


@pytest.mark.parametrize("dialect", VALID)
def test_the_valid_requests_are_answered(dialect: str, served: Served) -> None:
    for stream in (False, True):
        body = {**VALID[dialect], "stream": stream}
        response = served.post(PATHS[dialect], body)
        assert response.status_code == 200, response.text
        check(PATHS[dialect], response, body)


@pytest.mark.parametrize("dialect", VALID)
def test_anything_anywhere_in_a_request_is_answered_or_refused(dialect: str, served: Served) -> None:
    for place in places(VALID[dialect]):
        for value in [..., *WRONG]:
            body = changed(VALID[dialect], place, value)
            check(PATHS[dialect], served.post(PATHS[dialect], body), body)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@fuzz
@given(data=st.data(), stream=st.booleans())
@pytest.mark.parametrize("dialect", VALID)
def test_requests_that_are_changed_in_many_places(
    dialect: str, data: st.DataObject, stream: bool, served: Served
) -> None:
    body = {**VALID[dialect], "stream": stream}
    for _ in range(data.draw(st.integers(1, 5))):
        if not (found := list(places(body))):
            break
        body = changed(body, data.draw(st.sampled_from(found)), data.draw(values | st.just(...)))
    check(PATHS[dialect], served.post(PATHS[dialect], body), body)
    if dialect == "messages":
        check(COUNT, served.post(COUNT, body))


@fuzz
@given(body=values)
@every_path
def test_any_json(path: str, body: Any, served: Served) -> None:
    check(path, served.post(path, body), body)


@fuzz
@given(raw=st.binary() | st.text().map(lambda text: json.dumps(text)[:-1].encode()))
@every_path
def test_any_bytes(path: str, raw: bytes, served: Served) -> None:
    check(path, served.http.post(path, content=raw))


names = st.sampled_from(["x-api-key", "authorization", "x-stainless-retry-count", "anthropic-version", "content-type"])
printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(str.strip)


@fuzz
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]),
    path=st.sampled_from([*SPOKEN, "/v1/models", "/v1/models/a", "/"])
    | st.lists(st.text(max_size=5), max_size=4).map("/".join).map(lambda text: f"/{text}".replace("//", "/")),
    headers=st.dictionaries(names, printable),
)
def test_any_method_path_and_headers(method: str, path: str, headers: dict[str, str], served: Served) -> None:
    response = served.http.request(method, served.base_url + quote(path), headers=headers)
    assert response.status_code < 500
    if response.status_code >= 400 and method != "HEAD":
        dialect = SPOKEN.get(path.rstrip("/"), "messages" if "anthropic-version" in headers else "chat")
        assert error_of(dialect, response)
