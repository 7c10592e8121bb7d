"""A gateway that is served on loopback, and a model for it that a test can hold, break and watch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import httpx

from agentgym.gateway import Gateway, Journal, Session
from agentgym.protocols import Delta, Message, Model, Reply, Sampling, Usage

Piece = Delta | Reply | Exception | Callable[[], object]
"""What a Speaker does next: say it, raise it, or call it."""

TOOL = {"name": "bash", "description": "Run.", "parameters": {"type": "object", "properties": {}}}


def content(*texts: str) -> list[Piece]:
    return [*(Delta("content", text) for text in texts), reply("".join(texts))]


def reply(text: str, **message: Any) -> Reply:
    whole: Message = {"role": "assistant", "content": text, **message}  # type: ignore[typeddict-item]
    return Reply(whole, "tool_calls" if "tool_calls" in message else "stop", Usage(11, 7))


PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}


def error_of(dialect: str, response: httpx.Response) -> dict[str, Any]:
    """What a refusal says, in the shape that the dialect's clients expect."""
    body = response.json()
    if dialect == "messages":
        assert body.keys() == {"type", "error"}
        assert body["type"] == "error"
        assert body["error"].keys() == {"type", "message"}
    else:
        assert body.keys() == {"error"}
        assert body["error"].keys() == {"message", "type", "param", "code"}
    error: dict[str, Any] = body["error"]
    assert "\n" not in error["message"]
    return error


class Speaker:
    """Matches `protocols.StreamingModel`: does the same for every request."""

    def __init__(self, *pieces: Piece) -> None:
        self.name = "speaker"
        self.pieces: Sequence[Piece] = pieces or content("hel", "lo")
        self.asked: list[tuple[list[Message], list[Mapping[str, Any]], Sampling | None]] = []
        self.closed = threading.Event()
        """Whether a reply was ended early."""

    def stream(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = (), sampling: Sampling | None = None
    ) -> Iterator[Delta | Reply]:
        self.asked.append((list(messages), list(tools), sampling))
        try:
            for piece in self.pieces:
                if isinstance(piece, Exception):
                    raise piece
                if callable(piece):
                    piece()
                else:
                    yield piece
        except GeneratorExit:
            self.closed.set()
            raise

    def reply(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = (), sampling: Sampling | None = None
    ) -> Reply:
        raise AssertionError("a model that streams is streamed")


class Served:
    """`with Served(model) as served:` one session of it at an address."""

    def __init__(self, model: Model, journal: Journal | None = None) -> None:
        self.gateway = Gateway(journal)
        self.session: Session = self.gateway.open(model)
        self.base_url = f"http://127.0.0.1:{self.gateway.server().listen('127.0.0.1', 0)}"
        self.http = self.client(self.session.key)

    def client(self, key: str) -> httpx.Client:
        return httpx.Client(base_url=self.base_url, headers={"x-api-key": key}, trust_env=False, timeout=30)

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.http.post(path, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def __enter__(self) -> Served:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        self.gateway.close()
