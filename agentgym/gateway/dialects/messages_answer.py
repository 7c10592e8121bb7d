"""How `/v1/messages` answers: the message, its events, its errors."""

from __future__ import annotations

import json
import uuid
from typing import Any, Literal

from agentgym.gateway.dialects import sse
from agentgym.gateway.dialects.fault import Fault, Kind
from agentgym.gateway.dialects.texts import Told, content_of, ending, reasoning_of, seal
from agentgym.protocols import Delta, FinishReason, MessageToolCall, Reply

MALFORMED = "malformed_arguments"
"""Key of a tool_use's input that holds what the model wrote in place of a JSON object; it comes back as it was."""

_TYPES: dict[Kind, str] = {
    "unknown_key": "authentication_error",
    "not_found": "not_found_error",
    "too_large": "request_too_large",
    "updating": "overloaded_error",
    "no_reply": "api_error",
}
_STOP_REASONS: dict[FinishReason, str] = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def refusal(fault: Fault) -> dict[str, Any]:
    """The body of an error, of a full window in the words by which agents know it."""
    message = f"prompt is too long: {fault.message}" if fault.kind == "context_overflow" else fault.message
    return {"type": "error", "error": {"type": _TYPES.get(fault.kind, "invalid_request_error"), "message": message}}


class MessagesAnswer:
    """Matches `dialect.Answer`. Which of the stop sequences ended a reply is not known: it ended its turn."""

    def __init__(self, model: str, n_estimated: int) -> None:
        self.head = {"id": f"msg_{uuid.uuid4().hex}", "type": "message", "role": "assistant", "model": model}
        self.n_estimated = n_estimated
        """Prompt tokens, for the event that comes before they are counted."""

    def body(self, reply: Reply) -> dict[str, Any]:
        blocks: list[dict[str, Any]] = []
        if reasoning := reasoning_of(reply):
            blocks.append({"type": "thinking", "thinking": reasoning, "signature": seal(reasoning)})
        if content := content_of(reply):
            blocks.append({"type": "text", "text": content})
        blocks += [_tool_use(call, _input(call)) for call in reply.message.get("tool_calls") or ()]
        return {**self.head, "content": blocks, **_stop(reply), "usage": _usage(reply)}

    def events(self) -> MessagesEvents:
        return MessagesEvents(self)


class MessagesEvents:
    """Matches `dialect.Events`."""

    keepalive = sse.named({"type": "ping"})

    def __init__(self, answer: MessagesAnswer) -> None:
        self._answer = answer
        self._told = Told()
        self._open: Literal["reasoning", "content"] | None = None
        self._index = -1

    def begin(self) -> bytes:
        usage = {"input_tokens": self._answer.n_estimated, "output_tokens": 0}
        blank: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
        return sse.named({"type": "message_start", "message": {**self._answer.head, **blank}})

    def delta(self, delta: Delta) -> bytes:
        if not (text := self._told.push(delta)):
            return b""
        events = []
        if self._open != delta.kind:
            blank = {"type": "thinking", "thinking": "", "signature": ""}
            events += [self._close(), self._start(blank if delta.kind == "reasoning" else {"type": "text", "text": ""})]
            self._open = delta.kind
        if delta.kind == "reasoning":
            events.append(self._piece({"type": "thinking_delta", "thinking": text}))
        else:
            events.append(self._piece({"type": "text_delta", "text": text}))
        return b"".join(events)

    def end(self, reply: Reply) -> bytes:
        events = [self.delta(delta) for delta in self._told.rest(reply)]
        events.append(self._close())
        for call in reply.message.get("tool_calls") or ():
            events.append(self._start(_tool_use(call, {})))
            events.append(self._piece({"type": "input_json_delta", "partial_json": json.dumps(_input(call))}))
            events.append(self._stop())
        events.append(sse.named({"type": "message_delta", "delta": _stop(reply), "usage": _usage(reply)}))
        events.append(sse.named({"type": "message_stop"}))
        return b"".join(events)

    def fail(self, fault: Fault) -> bytes:
        return sse.named(refusal(fault))

    def _start(self, block: dict[str, Any]) -> bytes:
        self._index += 1
        return sse.named({"type": "content_block_start", "index": self._index, "content_block": block})

    def _piece(self, delta: dict[str, Any]) -> bytes:
        return sse.named({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _close(self) -> bytes:
        """End the text or thinking that is open, if any is."""
        signature = b""
        if self._open == "reasoning":
            sealed = seal(self._told.said("reasoning"))
            signature = self._piece({"type": "signature_delta", "signature": sealed})
        closed = signature + self._stop() if self._open else b""
        self._open = None
        return closed

    def _stop(self) -> bytes:
        return sse.named({"type": "content_block_stop", "index": self._index})


def _stop(reply: Reply) -> dict[str, Any]:
    return {"stop_reason": _STOP_REASONS[ending(reply)], "stop_sequence": None}


def _usage(reply: Reply) -> dict[str, int]:
    return {"input_tokens": reply.usage.prompt_tokens, "output_tokens": reply.usage.completion_tokens}


def _tool_use(call: MessageToolCall, given: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": given}


def _input(call: MessageToolCall) -> dict[str, Any]:
    text = call["function"]["arguments"]
    try:
        given = json.loads(text or "{}")
    except (ValueError, RecursionError):
        given = None
    return given if isinstance(given, dict) else {MALFORMED: text}
