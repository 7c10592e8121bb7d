"""How `/v1/chat/completions` answers: the completion, its chunks, its errors."""

from __future__ import annotations

import time
import uuid
from typing import Any

from agentgym.gateway.dialects import sse
from agentgym.gateway.dialects.fault import Fault, Kind
from agentgym.gateway.dialects.texts import Told, content_of, ending, reasoning_of
from agentgym.protocols import Delta, Reply

_CODES: dict[Kind, str] = {
    "unknown_key": "invalid_api_key",
    "not_found": "not_found",
    "sealed": "session_sealed",
    "over_budget": "budget_exceeded",
    "context_overflow": "context_length_exceeded",
    "updating": "service_unavailable",
    "no_reply": "server_error",
}


def refusal(fault: Fault) -> dict[str, Any]:
    """The body of an error, of a full window in the words by which agents know it."""
    kind = "invalid_request_error" if fault.status < 500 else "server_error"
    message = fault.message
    if fault.kind == "context_overflow":
        message = f"This model's maximum context length is exceeded; reduce the length of the messages. {message}"
    return {"error": {"message": message, "type": kind, "param": None, "code": _CODES.get(fault.kind)}}


class ChatAnswer:
    """Matches `dialect.Answer`."""

    def __init__(self, model: str, *, logprobs: bool, include_usage: bool) -> None:
        self.logprobs, self.include_usage = logprobs, include_usage
        self.head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}

    def body(self, reply: Reply) -> dict[str, Any]:
        content, calls = content_of(reply), reply.message.get("tool_calls")
        message: dict[str, Any] = {"role": "assistant", "content": content or (None if calls else ""), "refusal": None}
        if reasoning := reasoning_of(reply):
            message["reasoning_content"] = reasoning
        if calls:
            message["tool_calls"] = list(calls)
        choice = {
            "index": 0,
            "message": message,
            "logprobs": _logprobs(reply) if self.logprobs else None,
            "finish_reason": ending(reply),
        }
        return {**self.head, "object": "chat.completion", "choices": [choice], "usage": _usage(reply)}

    def events(self) -> ChatEvents:
        return ChatEvents(self)


class ChatEvents:
    """Matches `dialect.Events`."""

    keepalive = sse.KEEPALIVE

    def __init__(self, answer: ChatAnswer) -> None:
        self._answer = answer
        self._told = Told()

    def begin(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def delta(self, delta: Delta) -> bytes:
        text = self._told.push(delta)
        field = "reasoning_content" if delta.kind == "reasoning" else "content"
        return self._chunk({field: text}) if text else b""

    def end(self, reply: Reply) -> bytes:
        events = [self.delta(delta) for delta in self._told.rest(reply)]
        for index, call in enumerate(reply.message.get("tool_calls") or ()):
            function = call["function"]
            opened = {"id": call["id"], "type": "function", "function": {"name": function["name"], "arguments": ""}}
            events.append(self._chunk({"tool_calls": [{"index": index, **opened}]}))
            arguments = {"arguments": function["arguments"]}
            events.append(self._chunk({"tool_calls": [{"index": index, "function": arguments}]}))
        if self._answer.logprobs and (logprobs := _logprobs(reply)):
            events.append(self._chunk({}, logprobs=logprobs))
        events.append(self._chunk({}, finish_reason=ending(reply)))
        if self._answer.include_usage:
            events.append(self._event(choices=[], usage=_usage(reply)))
        return b"".join([*events, b"data: [DONE]\n\n"])

    def fail(self, fault: Fault) -> bytes:
        return sse.unnamed(refusal(fault))

    def _chunk(self, delta: dict[str, Any], *, finish_reason: str | None = None, logprobs: Any = None) -> bytes:
        return self._event(
            choices=[{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}],
            **({"usage": None} if self._answer.include_usage else {}),
        )

    def _event(self, **fields: Any) -> bytes:
        return sse.unnamed({**self._answer.head, "object": "chat.completion.chunk", **fields})


def _usage(reply: Reply) -> dict[str, int]:
    asked, sampled = reply.usage.prompt_tokens, reply.usage.completion_tokens
    return {"prompt_tokens": asked, "completion_tokens": sampled, "total_tokens": asked + sampled}


def _logprobs(reply: Reply) -> dict[str, Any] | None:
    """Of every token that was sampled, reasoning and markup included; None where the model shows none."""
    if reply.tokens is None:
        return None
    return {
        "content": [
            {"token": text, "logprob": logprob, "bytes": list(text.encode("utf-8", "replace")), "top_logprobs": []}
            for text, logprob in zip(reply.tokens.texts, reply.tokens.logprobs, strict=True)
        ],
        "refusal": None,
    }
