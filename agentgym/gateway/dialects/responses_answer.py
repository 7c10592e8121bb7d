"""How `/v1/responses` answers: the response, its events, its errors."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any, Literal

from agentgym.gateway.dialects import chat_answer, sse
from agentgym.gateway.dialects.fault import Fault
from agentgym.gateway.dialects.texts import Told, content_of, ending, reasoning_of, seal
from agentgym.protocols import Delta, MessageToolCall, Reply

refusal = chat_answer.refusal

_ECHOED: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "temperature": None,
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
}
"""What of a request its response says again, and what stands there if it said nothing."""


class ResponsesAnswer:
    """Matches `dialect.Answer`."""

    def __init__(self, model: str, request: Mapping[str, Any], *, sealed: bool) -> None:
        self._id = uuid.uuid4().hex
        self._sealed = sealed
        """Whether the client wants reasoning in the form that it cannot read."""
        self._head = {
            "id": f"resp_{self._id}",
            "object": "response",
            "created_at": int(time.time()),
            "model": model,
            "error": None,
            "previous_response_id": None,
            "store": False,
            **{key: request.get(key) or default for key, default in _ECHOED.items()},
        }

    def body(self, reply: Reply) -> dict[str, Any]:
        output: list[dict[str, Any]] = []
        if reasoning := reasoning_of(reply):
            output.append(self.reasoning(reasoning))
        if content := content_of(reply):
            output.append(self.message(content))
        calls = reply.message.get("tool_calls") or ()
        output += [self.function_call(number, call) for number, call in enumerate(calls)]
        asked, sampled = reply.usage.prompt_tokens, reply.usage.completion_tokens
        usage = {
            "input_tokens": asked,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": sampled,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": asked + sampled,
        }
        cut = ending(reply) == "length"
        details = {"reason": "max_output_tokens"} if cut else None
        return self.response(
            "incomplete" if cut else "completed", output=output, usage=usage, incomplete_details=details
        )

    def events(self) -> ResponsesEvents:
        return ResponsesEvents(self)

    def response(self, status: str, **fields: Any) -> dict[str, Any]:
        return {**self._head, "status": status, "output": [], "usage": None, "incomplete_details": None, **fields}

    def reasoning(self, text: str | None) -> dict[str, Any]:
        """The item; None: as it begins."""
        summary = [] if text is None else [{"type": "summary_text", "text": text}]
        item = {"type": "reasoning", "id": f"rs_{self._id}", "summary": summary, "status": _status(text)}
        return {**item, "encrypted_content": seal(text)} if self._sealed and text is not None else item

    def message(self, text: str | None) -> dict[str, Any]:
        content = [] if text is None else [output_text(text)]
        item = {"type": "message", "id": f"msg_{self._id}", "role": "assistant"}
        return {**item, "content": content, "status": _status(text)}

    def function_call(self, number: int, call: MessageToolCall, *, begun: bool = False) -> dict[str, Any]:
        name, arguments = call["function"]["name"], None if begun else call["function"]["arguments"]
        item = {"type": "function_call", "id": f"fc_{self._id}_{number}", "call_id": call["id"], "name": name}
        return {**item, "arguments": arguments or "", "status": _status(arguments)}


class ResponsesEvents:
    """Matches `dialect.Events`."""

    keepalive = sse.KEEPALIVE

    def __init__(self, answer: ResponsesAnswer) -> None:
        self._answer = answer
        self._told = Told()
        self._open: Literal["reasoning", "content"] | None = None
        self._n_items = 0
        self._n_events = 0

    def begin(self) -> bytes:
        response = self._answer.response("in_progress")
        return self._event("created", response=response) + self._event("in_progress", response=response)

    def delta(self, delta: Delta) -> bytes:
        if not (text := self._told.push(delta)):
            return b""
        events = []
        if self._open != delta.kind:
            events += [self._close(), self._begin_item(delta.kind)]
        if delta.kind == "reasoning":
            events.append(self._on_reasoning("reasoning_summary_text.delta", delta=text))
        else:
            events.append(self._on_text("output_text.delta", delta=text, logprobs=[]))
        return b"".join(events)

    def end(self, reply: Reply) -> bytes:
        events = [self.delta(delta) for delta in self._told.rest(reply)]
        events.append(self._close())
        for number, call in enumerate(reply.message.get("tool_calls") or ()):
            begun, item = (self._answer.function_call(number, call, begun=begun) for begun in (True, False))
            at, arguments = {"item_id": item["id"]}, item["arguments"]
            events.append(self._item("added", begun))
            events.append(self._at("function_call_arguments.delta", **at, delta=arguments))
            events.append(self._at("function_call_arguments.done", **at, arguments=arguments, name=item["name"]))
            events.append(self._item("done", item))
        response = self._answer.body(reply)
        events.append(self._event(response["status"], response=response))
        return b"".join(events)

    def fail(self, fault: Fault) -> bytes:
        error = refusal(fault)["error"]
        code, message = error["code"] or error["type"], error["message"]
        numbered = {"code": code, "message": message, "param": None, "sequence_number": self._n_events}
        self._n_events += 1
        response = self._answer.response("failed", error={"code": code, "message": message})
        return sse.named({"type": "error", **numbered}) + self._event("failed", response=response)

    def _begin_item(self, kind: Literal["reasoning", "content"]) -> bytes:
        self._open = kind
        if kind == "reasoning":
            added = self._item("added", self._answer.reasoning(None))
            return added + self._on_reasoning("reasoning_summary_part.added", part=_summary(""))
        added = self._item("added", self._answer.message(None))
        return added + self._on_text("content_part.added", part=output_text(""))

    def _close(self) -> bytes:
        """End the item that is open, if one is."""
        kind, self._open = self._open, None
        if kind is None:
            return b""
        text = self._told.said(kind)
        if kind == "reasoning":
            done = self._on_reasoning("reasoning_summary_text.done", text=text)
            done += self._on_reasoning("reasoning_summary_part.done", part=_summary(text))
            return done + self._item("done", self._answer.reasoning(text))
        done = self._on_text("output_text.done", text=text, logprobs=[])
        done += self._on_text("content_part.done", part=output_text(text))
        return done + self._item("done", self._answer.message(text))

    def _item(self, what: Literal["added", "done"], item: dict[str, Any]) -> bytes:
        event = self._at(f"output_item.{what}", item=item)
        self._n_items += what == "done"
        return event

    def _on_reasoning(self, name: str, /, **fields: Any) -> bytes:
        return self._at(name, item_id=self._answer.reasoning(None)["id"], summary_index=0, **fields)

    def _on_text(self, name: str, /, **fields: Any) -> bytes:
        return self._at(name, item_id=self._answer.message(None)["id"], content_index=0, **fields)

    def _at(self, name: str, /, **fields: Any) -> bytes:
        return self._event(name, output_index=self._n_items, **fields)

    def _event(self, name: str, /, **fields: Any) -> bytes:
        event = sse.named({"type": f"response.{name}", "sequence_number": self._n_events, **fields})
        self._n_events += 1
        return event


def output_text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _summary(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}


def _status(text: str | None) -> str:
    return "in_progress" if text is None else "completed"
