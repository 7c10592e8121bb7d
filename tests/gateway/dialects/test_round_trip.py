"""In every dialect: what is streamed is what is answered whole, and what a client sends back is what was said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.gateway.dialects import Dialect, chat, messages, read_json, responses
from agentgym.protocols import Delta, Message, Reply, Usage
from tests.gateway.dialects import clients

DIALECTS: list[Dialect] = [chat, messages, responses]
every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.NAME)

texts = st.one_of(st.text(), st.sampled_from(["", " \n", "\n\nhello", "hello \n", "ein Zug \U0001f682"]))
arguments = st.one_of(
    st.dictionaries(st.text(max_size=5), st.one_of(st.text(), st.integers(), st.none()), max_size=3).map(json.dumps),
    st.sampled_from(["", "{}", '{"a":1,  "b": [2]}', '{"cut', "[1, 2]", '"text"', "null"]),
)


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    message: Message = {"role": "assistant", "content": draw(st.one_of(st.none(), texts))}
    if reasoning := draw(texts):
        message["reasoning_content"] = reasoning
    calls = draw(st.lists(st.tuples(st.sampled_from(["bash", "read"]), arguments), max_size=3))
    if calls:
        message["tool_calls"] = [
            {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": text}}
            for number, (name, text) in enumerate(calls)
        ]
    reason = draw(st.sampled_from(["stop", "length", "repetition"]))
    return Reply(message, "tool_calls" if calls and reason == "stop" else reason, Usage(11, 7))


@st.composite
def deltas(draw: st.DrawFn, reply: Reply) -> list[Delta]:
    """The reply's beginning, cut anywhere: models stream all of it, a part, or nothing."""
    pieces: list[Delta] = []
    for kind, text in (("reasoning", reply.message.get("reasoning_content")), ("content", reply.message["content"])):
        cuts = sorted(draw(st.lists(st.integers(0, len(text or "")), max_size=4)))
        pieces += [Delta(kind, (text or "")[a:b]) for a, b in zip([0, *cuts], cuts, strict=False)]  # type: ignore[arg-type]
        if sum(len(piece.text) for piece in pieces if piece.kind == "reasoning") < len(text or ""):
            break  # content does not begin before reasoning has ended
    return pieces


def essence(message: Message) -> tuple[str, str, list[tuple[str, str, Any]]]:
    """What must come back. Text of nothing but blanks is no text; arguments are what they mean."""
    said = [message.get("reasoning_content"), message["content"]]
    reasoning, content = (text if text and text.strip() else "" for text in said)
    calls = message.get("tool_calls", [])
    return reasoning, content, [(c["id"], c["function"]["name"], value(c["function"]["arguments"])) for c in calls]


def value(text: str) -> Any:
    try:
        given = json.loads(text or "{}")
    except ValueError:
        return text
    return given if isinstance(given, dict) else text


@every_dialect
@given(data=st.data(), reply=replies())
def test_a_stream_amounts_to_the_whole_answer(dialect: Dialect, data: st.DataObject, reply: Reply) -> None:
    ask = clients.asked(dialect.NAME, [{"role": "user", "content": "go"}], stream=True)
    answer = dialect.parse(ask, "m").answer
    events, body = answer.events(), answer.body(reply)
    stream = events.begin() + events.keepalive
    stream += b"".join(events.delta(delta) for delta in data.draw(deltas(reply)))
    stream += events.end(reply)
    told = getattr(clients, dialect.NAME)(stream)
    if dialect is chat:
        choice = body["choices"][0]
        assert told["finish_reason"] == choice["finish_reason"]
        expected = {key: value for key, value in choice["message"].items() if value is not None}
        told = told["message"]
        assert {key: value for key, value in told.items() if value != ""} == {
            key: value for key, value in expected.items() if value != ""
        }
    else:
        assert told == body


@every_dialect
@given(reply=replies())
def test_what_is_sent_back_is_what_was_said(dialect: Dialect, reply: Reply) -> None:
    ask = [{"role": "user", "content": "go"}]
    body = json.loads(json.dumps(dialect.parse(clients.asked(dialect.NAME, ask), "m").answer.body(reply)))
    conversation = [*ask, *clients.history(dialect.NAME, body), {"role": "user", "content": "on"}]
    raw = json.dumps(clients.asked(dialect.NAME, conversation)).encode()
    again = dialect.parse(read_json(raw), "m").messages
    said = essence(reply.message)
    if dialect is responses and not any(said):
        assert [message["role"] for message in again] == ["user", "user"]  # of nothing there is no item
    else:
        assert essence(again[1]) == said
        assert [message["role"] for message in again] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("dialect", "field"), [(messages, "thinking"), (responses, "summary")], ids=["messages", "responses"]
)
def test_reasoning_comes_back_where_a_client_drops_the_readable_copy(dialect: Dialect, field: str) -> None:
    ask: list[Any] = [{"role": "user", "content": "go"}]
    reply = Reply({"role": "assistant", "content": "done", "reasoning_content": "first, … then"})
    asked = dialect.parse(clients.asked(dialect.NAME, ask, include=["reasoning.encrypted_content"]), "m")
    said = clients.history(dialect.NAME, asked.answer.body(reply))
    block = said[0]["content"][0] if dialect is messages else said[0]
    block[field] = type(block[field])()
    again = dialect.parse(clients.asked(dialect.NAME, [*ask, *said, *ask]), "m").messages
    assert again[1]["reasoning_content"] == "first, … then"
