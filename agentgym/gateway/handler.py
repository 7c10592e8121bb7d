"""Answers one HTTP request: whose it is, what it asks, and the reply in its dialect, whole or as it comes.

It lives in the server's loop and does nothing there that takes long: reading, asking and writing JSON is the flight's,
on a thread. Every refusal has the shape of the dialect that was spoken.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any

from aiohttp import web

from agentgym.gateway.dialects import Dialect, Fault, chat, estimate_tokens, messages, read_json, responses
from agentgym.gateway.flight import Flight, as_fault
from agentgym.gateway.flights import Flights
from agentgym.gateway.session import Session

BODY_BYTES = 64 << 20
"""Of a request, at most."""
KEEPALIVE_S = 5.0
"""A stream is never silent for longer: clients and what lies between give up on silent ones."""
HEADERS_WITHIN_S = 1.0
"""A stream begins with the first piece of the reply, or then: what is refused before has a status of its own."""

DIALECTS: Mapping[str, Dialect] = {
    "/v1/chat/completions": chat,
    "/v1/responses": responses,
    "/v1/messages": messages,
}
COUNT, MODELS = "/v1/messages/count_tokens", "/v1/models"


class Handler:
    """Matches aiohttp's request handlers, once `only` is bound."""

    def __init__(self, find: Callable[[str], Session | None], threads: Executor) -> None:
        self._find = find
        self._threads = threads
        self.flights = Flights(threads)

    async def __call__(self, only: Session | None, request: web.BaseRequest) -> web.StreamResponse:
        """`only`: the one session that the socket is for."""
        path = request.path.rstrip("/")
        dialect = _spoken(path, request)
        try:
            if path == "" and request.method in ("GET", "HEAD"):
                return web.Response(text="agentgym gateway\n")  # agents look whether anybody is there
            _check_route(path, request.method)
            session = self._session(only, request)
            if path in DIALECTS:
                return await self._generate(dialect, session, request)
            if path == COUNT:
                return await self._count(session, request)
            return web.json_response(_models(session.name, path.removeprefix(MODELS).removeprefix("/")))
        except Fault as fault:
            return _refused(dialect, fault)

    def _session(self, only: Session | None, request: web.BaseRequest) -> Session:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = [request.headers.get("x-api-key"), token.strip() if scheme.lower() == "bearer" else None]
        for key in filter(None, given):
            session = self._find(key)
            if session is not None and (only is None or session is only):
                return session
        found = "a key of no session here" if any(given) else "no key"
        raise Fault("unknown_key", f"found {found}, wanted the session's, as `Authorization: Bearer` or `x-api-key`")

    async def _generate(self, dialect: Dialect, session: Session, request: web.BaseRequest) -> web.StreamResponse:
        raw = await _read(request)
        retried = request.headers.get("x-stainless-retry-count", "0") != "0"
        flight = self.flights.join(session, dialect, raw, retried=retried)
        answered = False
        try:
            await _until(flight, lambda: flight.done or flight.stream)
            if flight.stream:
                await _until(flight, lambda: flight.done or bool(flight.deltas), timeout_s=HEADERS_WITHIN_S)
            if flight.fault is not None:
                response: web.StreamResponse = _refused(dialect, flight.fault)
            elif flight.stream:
                response = await _stream(flight, request)
            else:
                response = web.Response(body=flight.body, content_type="application/json")
            await response.prepare(request)
            await response.write_eof()
            answered = True
            return response
        finally:
            self.flights.leave(flight, answered=answered)

    async def _count(self, session: Session, request: web.BaseRequest) -> web.StreamResponse:
        raw = await _read(request)
        n_tokens = await asyncio.get_running_loop().run_in_executor(self._threads, _count, session, raw)
        return web.json_response({"input_tokens": n_tokens})


async def _until(flight: Flight, reached: Callable[[], bool], *, timeout_s: float | None = None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while True:
                news = flight.changed()
                if reached():
                    return
                await news.wait()


async def _stream(flight: Flight, request: web.BaseRequest) -> web.StreamResponse:
    assert flight.answer is not None
    events = flight.answer.events()
    response = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-cache"})
    await response.prepare(request)
    await response.write(events.begin())
    n_sent = 0
    while True:
        news, done = flight.changed(), flight.done  # before the deltas: none may come between
        deltas = flight.deltas[n_sent:]
        n_sent += len(deltas)
        data = b"".join(map(events.delta, deltas))
        if done and flight.fault is not None:
            data += events.fail(flight.fault)
        elif done and flight.reply is not None:
            data += events.end(flight.reply)
        if data:
            await response.write(data)
        if done:
            return response
        try:
            async with asyncio.timeout(KEEPALIVE_S):
                await news.wait()
        except TimeoutError:
            await response.write(events.keepalive)


async def _read(request: web.BaseRequest) -> bytes:
    too_large = Fault("too_large", f"found a body of more than {BODY_BYTES >> 20} MiB, wanted a smaller one")
    if (request.content_length or 0) > BODY_BYTES:
        raise too_large
    raw = bytearray()
    try:
        async for chunk in request.content.iter_any():
            raw += chunk
            if len(raw) > BODY_BYTES:
                raise too_large
    except web.RequestPayloadError as error:
        raise Fault("bad_request", f"found a body that cannot be read ({error}), wanted a JSON object") from error
    return bytes(raw)


def _count(session: Session, raw: bytes) -> int:
    """On a thread."""
    said, tools = messages.parse_count(read_json(raw))
    try:
        n_tokens = session.count(said, tools)
    except Exception as error:
        raise as_fault(error) from error
    return estimate_tokens(said, tools) if n_tokens is None else n_tokens


def _spoken(path: str, request: web.BaseRequest) -> Dialect:
    """The dialect that a refusal is put in."""
    if path in DIALECTS:
        return DIALECTS[path]
    return messages if path == COUNT or "anthropic-version" in request.headers else chat


def _check_route(path: str, method: str) -> None:
    posted = path in DIALECTS or path == COUNT
    if not posted and path != MODELS and not path.startswith(f"{MODELS}/"):
        known = ", ".join([*DIALECTS, COUNT, MODELS])
        raise Fault("not_found", f"found {method} {path or '/'}, wanted one of {known}: check the client's base URL")
    if method not in (["POST"] if posted else ["GET", "HEAD"]):
        raise Fault("wrong_method", f"found {method} {path}, wanted {'POST' if posted else 'GET'}")


def _models(name: str, asked: str) -> dict[str, Any]:
    """The session's model, which answers to every name; both OpenAI's fields and Anthropic's."""
    model = asked or name
    shown = {"id": model, "object": "model", "created": 0, "owned_by": "agentgym"}
    shown |= {"type": "model", "display_name": model, "created_at": "1970-01-01T00:00:00Z"}
    if asked:
        return shown
    return {"object": "list", "data": [shown], "has_more": False, "first_id": model, "last_id": model}


def _refused(dialect: Dialect, fault: Fault) -> web.Response:
    # the official clients obey this: of what is over, a second try is no use
    headers = {"x-should-retry": "false" if fault.retry_after_s is None else "true"}
    if fault.retry_after_s is not None:
        headers["retry-after"] = str(math.ceil(fault.retry_after_s))
    body = json.dumps(dialect.refusal(fault)).encode("ascii")
    return web.Response(body=body, status=fault.status, headers=headers, content_type="application/json")
