"""Small, strict clients: each puts a stream together again and fails on an event that is missing or out of place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def events(stream: bytes) -> Iterator[tuple[str | None, Any]]:
    """Name and data of each event; comments are passed over."""
    *whole, rest = stream.decode("ascii").split("\n\n")
    assert rest == ""
    for event in whole:
        fields = dict(line.split(": ", 1) for line in event.splitlines() if not line.startswith(":"))
        if fields:
            data = fields["data"]
            yield fields.get("event"), data if data == "[DONE]" else json.loads(data)


def chat(stream: bytes) -> dict[str, Any]:
    """The chat completion that a stream of chunks amounts to."""
    *chunks, (name, last) = events(stream)
    assert (name, last) == (None, "[DONE]")
    message: dict[str, Any] = {"content": ""}
    finish_reason, usage = None, None
    for name, chunk in chunks:
        assert name is None
        assert chunk["object"] == "chat.completion.chunk"
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            assert finish_reason is None
            finish_reason = choice["finish_reason"]
            for key, value in choice["delta"].items():
                if key == "tool_calls":
                    _add_call(message.setdefault("tool_calls", []), *value)
                elif key == "role":
                    assert key not in message
                    message["role"] = value
                else:
                    message[key] = message.get(key, "") + value
    assert {chunk["id"] for _, chunk in chunks} == {chunks[0][1]["id"]}
    return {"id": chunks[0][1]["id"], "message": message, "finish_reason": finish_reason, "usage": usage}


def _add_call(calls: list[dict[str, Any]], piece: dict[str, Any]) -> None:
    if piece["index"] == len(calls):
        calls.append({key: value for key, value in piece.items() if key != "index"})
    else:
        assert piece["index"] == len(calls) - 1
        calls[-1]["function"]["arguments"] += piece["function"]["arguments"]


def messages(stream: bytes) -> dict[str, Any]:
    """The message that a stream of Anthropic's events amounts to."""
    told = list(events(stream))
    assert all(name == data["type"] for name, data in told)
    kinds = [data["type"] for _, data in told if data["type"] != "ping"]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    message: dict[str, Any] = told[0][1]["message"]
    open_block: dict[str, Any] | None = None
    partial_json = ""
    for _, event in told:
        match event["type"]:
            case "content_block_start":
                assert open_block is None
                assert event["index"] == len(message["content"])
                open_block, partial_json = event["content_block"], ""
                message["content"].append(open_block)
            case "content_block_delta":
                assert open_block is not None
                assert event["index"] == len(message["content"]) - 1
                delta = dict(event["delta"])
                kind = delta.pop("type")
                if kind == "input_json_delta":
                    partial_json += delta["partial_json"]
                else:
                    [(key, value)] = delta.items()
                    open_block[key] += value
            case "content_block_stop":
                assert open_block is not None
                if open_block["type"] == "tool_use":
                    open_block["input"] = json.loads(partial_json)
                open_block = None
            case "message_delta":
                assert open_block is None
                message |= event["delta"]
                message["usage"] = event["usage"]
    return message


def responses(stream: bytes) -> dict[str, Any]:
    """The final response, held against what the events before it said."""
    told = list(events(stream))
    assert [data["sequence_number"] for _, data in told] == list(range(len(told)))
    assert all(name == data["type"] for name, data in told)
    assert [name for name, _ in told[:2]] == ["response.created", "response.in_progress"]
    items: list[dict[str, Any]] = []
    open_item: dict[str, Any] | None = None
    texts: dict[str, str] = {}
    for name, event in told[2:-1]:
        assert name is not None
        what = name.removeprefix("response.")
        assert event["output_index"] == len(items)
        if what == "output_item.added":
            assert open_item is None
            open_item, texts = event["item"], {}
            assert open_item["status"] == "in_progress"
            continue
        assert open_item is not None
        if what == "output_item.done":
            assert event["item"]["id"] == open_item["id"]
            items.append(event["item"])
            open_item = None
            continue
        assert event["item_id"] == open_item["id"]
        kind, _, stage = what.rpartition(".")
        if stage == "delta":
            texts[kind] = texts.get(kind, "") + event["delta"]
        elif kind in texts:
            assert event.get("text", event.get("arguments")) == texts[kind]
    assert open_item is None
    name, last = told[-1]
    response: dict[str, Any] = last["response"]
    assert name == f"response.{response['status']}"
    assert response["output"] == items
    assert response["id"] == told[0][1]["response"]["id"]
    return response


def asked(dialect: str, conversation: list[Any], **fields: Any) -> dict[str, Any]:
    """A request for a reply to `conversation`, in the dialect's own shape."""
    named: Mapping[str, Any] = {"model": "any", **fields}
    if dialect == "responses":
        return {"input": conversation, **named}
    return {"messages": conversation, **({"max_tokens": 100} if dialect == "messages" else {}), **named}


def history(dialect: str, body: Mapping[str, Any]) -> list[Any]:
    """What a client sends back of an answer."""
    if dialect == "chat":
        return [body["choices"][0]["message"]]
    if dialect == "messages":
        return [{"role": "assistant", "content": body["content"]}]
    return list(body["output"])
