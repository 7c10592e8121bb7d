"""The server: whose requests are answered on which socket, how refusals look, and how streams behave."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from agentgym.errors import ModelError
from agentgym.gateway import BudgetExceeded, Gateway, handler
from agentgym.models import ContextOverflow
from agentgym.protocols import Delta, Model, Reply, StopReason, Tokens, Usage
from tests.gateway.dialects import clients
from tests.gateway.fakes import TokenFake
from tests.gateway.served import PATHS, TOOL, Served, Speaker, content, error_of, reply

Serve = Callable[[Model], Served]
USER = [{"role": "user", "content": "hi"}]
every_dialect = pytest.mark.parametrize("dialect", PATHS)


def ask(served: Served, dialect: str, conversation: list[Any] = USER, **fields: Any) -> httpx.Response:
    return served.post(PATHS[dialect], clients.asked(dialect, conversation, **fields))


# ---------------------------------------------------------------------------------------------------------- whose


@every_dialect
@pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}, {"authorization": "Bearer wrong"}])
def test_without_a_known_key_nothing_is_answered(dialect: str, headers: dict[str, str], served: Served) -> None:
    response = httpx.post(served.base_url + PATHS[dialect], headers=headers, json={}, trust_env=False)
    assert response.status_code == 401
    assert error_of(dialect, response)["message"].startswith("found ")


@pytest.mark.parametrize("name", ["x-api-key", "authorization"])
def test_a_key_comes_in_either_header(name: str, served: Served) -> None:
    key = served.session.key if name == "x-api-key" else f"Bearer {served.session.key}"
    response = httpx.get(f"{served.base_url}/v1/models", headers={name: key}, trust_env=False)
    assert response.json()["data"][0]["id"] == "speaker"


def test_a_socket_of_one_session_refuses_the_keys_of_others() -> None:
    with Gateway() as gateway:
        mine, other = gateway.open(Speaker()), gateway.open(Speaker())
        with socket.create_server(("127.0.0.1", 0)) as listening:
            gateway.server().accept(listening, mine)
            base_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            with httpx.Client(base_url=base_url, trust_env=False) as client:
                answers = [
                    client.get("/v1/models", headers={"x-api-key": key}).status_code for key in (mine.key, other.key)
                ]
                assert answers == [200, 401]
                gateway.server().forget(listening)
                with pytest.raises(httpx.TransportError):
                    client.get("/v1/models", headers={"x-api-key": mine.key})


def test_a_gateway_that_is_closed_takes_its_sockets_along() -> None:
    gateway = Gateway()
    session, threads = gateway.open(Speaker()), threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        gateway.server().accept(listening, session)
        gateway.close()
        gateway.server().forget(listening)
        assert listening.fileno() == -1
    gateway.close()
    assert threading.active_count() == threads


def test_256_sessions_are_answered_at_once() -> None:
    n_sessions = 256
    all_there = threading.Barrier(n_sessions, timeout=30)
    speaker = Speaker(all_there.wait, *content("hello"))
    with Gateway() as gateway, ThreadPoolExecutor(n_sessions) as threads:
        sessions, sockets = [gateway.open(speaker) for _ in range(n_sessions)], []
        for session in sessions:
            sockets.append(socket.create_server(("127.0.0.1", 0)))
            gateway.server().accept(sockets[-1], session)

        def post(listening: socket.socket, key: str) -> str:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1/chat/completions"
            body = {"messages": USER, "model": key}
            response = httpx.post(url, headers={"x-api-key": key}, json=body, timeout=60, trust_env=False)
            return str(response.json()["model"])

        keys = [session.key for session in sessions]
        assert list(threads.map(post, sockets, keys)) == keys
        assert [len(session.calls) for session in sessions] == [1] * n_sessions


# -------------------------------------------------------------------------------------------------------- answers


@every_dialect
@pytest.mark.parametrize("stream", [False, True])
def test_a_request_is_asked_recorded_and_answered(dialect: str, stream: bool, served: Served) -> None:
    response = ask(served, dialect, stream=stream)
    assert response.status_code == 200
    [call] = served.session.calls
    assert (call.dialect, call.messages, call.reply) == (dialect, USER, {"role": "assistant", "content": "hello"})
    assert "hello" in response.text or stream
    if stream:
        assert getattr(clients, dialect)(response.content)


def test_every_model_name_is_the_sessions_model(served: Served) -> None:
    [listed] = served.http.get("/v1/models").json()["data"]
    asked = served.http.get("/v1/models/some/other").json()
    assert (listed["id"], asked["id"]) == ("speaker", "some/other")
    assert asked["object"] == asked["type"] == "model"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_agents_see_that_somebody_is_there(method: str, served: Served) -> None:
    assert httpx.request(method, served.base_url, trust_env=False).status_code == 200


def test_tokens_are_counted_by_the_model_or_estimated(serve: Serve, served: Served) -> None:
    model = TokenFake()
    body = {"model": "any", "messages": USER, "tools": [{"name": "bash", "input_schema": {}}]}
    exact = serve(model).post("/v1/messages/count_tokens", body).json()["input_tokens"]
    function = {"type": "function", "function": {"name": "bash", "parameters": {}}}
    assert exact == len(model.render([{"role": "user", "content": "hi"}], [function]).ids)
    assert 10 < served.post("/v1/messages/count_tokens", body).json()["input_tokens"] < 60


@pytest.mark.parametrize("stream", [False, True])
def test_logprobs_are_those_of_the_sampled_tokens(stream: bool, serve: Serve) -> None:
    tokens = Tokens([5, 6], [-0.5, -1.5], [0, 0], ["he", "llo"])
    served = serve(Speaker(Reply({"role": "assistant", "content": "hello"}, "stop", Usage(3, 2), tokens)))
    response = ask(served, "chat", stream=stream, logprobs=True)
    bodies = [data for _, data in clients.events(response.content)][:-1] if stream else [response.json()]
    [shown] = [choice["logprobs"]["content"] for body in bodies for choice in body["choices"] if choice["logprobs"]]
    assert [(token["token"], token["logprob"], bytes(token["bytes"])) for token in shown] == [
        ("he", -0.5, b"he"),
        ("llo", -1.5, b"llo"),
    ]


def test_usage_is_streamed_where_it_is_asked_for(served: Served) -> None:
    told = clients.chat(ask(served, "chat", stream=True, stream_options={"include_usage": True}).content)
    assert told["usage"] == {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    assert clients.chat(ask(served, "chat", stream=True).content)["usage"] is None


def test_provider_side_tools_are_taken_out_and_recorded(serve: Serve) -> None:
    speaker = Speaker()
    served = serve(speaker)
    ask(served, "chat", tools=[{"type": "function", "function": TOOL}, {"type": "web_search"}])
    ask(served, "responses", tools=[{"type": "function", **TOOL}, {"type": "web_search"}])
    own = {"name": "bash", "description": "Run.", "input_schema": TOOL["parameters"]}
    ask(served, "messages", tools=[own, {"type": "web_search_20250305", "name": "web_search"}])
    assert [tools for _, tools, _ in speaker.asked] == [[{"type": "function", "function": TOOL}]] * 3
    assert [call.stripped for call in served.session.calls] == [["web_search"]] * 3


# ------------------------------------------------------------------------------------------------------ refusals

BUSY = ModelError("new weights are being taken in")
BUSY.retry_after_s = 1.2
FAILURES: list[tuple[Exception, int, str, str]] = [
    (ContextOverflow("9 tokens do not fit 8"), 400, "context_length_exceeded", "invalid_request_error"),
    (BudgetExceeded("used up", StopReason.MAX_TOKENS), 400, "budget_exceeded", "invalid_request_error"),
    (BUSY, 503, "service_unavailable", "overloaded_error"),
    (ModelError("the server is gone"), 502, "server_error", "api_error"),
    (ZeroDivisionError("a bug of the model's"), 502, "server_error", "api_error"),
]


@every_dialect
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("failure", "status", "code", "kind"), FAILURES, ids=lambda value: str(value)[:24])
def test_a_failure_has_its_status_and_its_name(
    dialect: str, stream: bool, failure: Exception, status: int, code: str, kind: str, serve: Serve
) -> None:
    response = ask(serve(Speaker(failure)), dialect, stream=stream)
    error = error_of(dialect, response)
    assert response.status_code == status
    assert error["type" if dialect == "messages" else "code"] == (kind if dialect == "messages" else code)
    assert str(failure) in error["message"]
    assert (response.headers["x-should-retry"], response.headers.get("retry-after")) == (
        ("true", "2") if failure is BUSY else ("false", None)
    )


def test_a_full_window_is_told_in_the_words_that_agents_know(serve: Serve) -> None:
    served = serve(Speaker(ContextOverflow("9 tokens do not fit 8")))
    assert error_of("messages", ask(served, "messages"))["message"].startswith("prompt is too long: ")
    assert "maximum context length" in error_of("chat", ask(served, "chat"))["message"]


@every_dialect
def test_a_failure_in_mid_stream_is_an_event(dialect: str, serve: Serve) -> None:
    heard = threading.Event()
    served = serve(Speaker(Delta("content", "hel"), lambda: heard.wait(30), ModelError("gone")))
    told = b""
    with served.http.stream("POST", PATHS[dialect], json=clients.asked(dialect, USER, stream=True)) as response:
        assert response.status_code == 200
        for piece in response.iter_raw():
            told += piece
            heard.set()
    name, last = list(clients.events(told))[-1]
    if dialect == "responses":
        said = last["response"]
        assert (name, said["status"], said["error"]["message"]) == ("response.failed", "failed", "gone")
    else:
        assert (name, last["error"]["message"]) == ("error" if dialect == "messages" else None, "gone")


@every_dialect
def test_a_sealed_session_answers_nothing_more(dialect: str, served: Served) -> None:
    served.session.seal()
    response = ask(served, dialect)
    assert (response.status_code, response.headers["x-should-retry"]) == (409, "false")
    assert "over" in error_of(dialect, response)["message"]


@pytest.mark.parametrize(
    ("method", "path", "dialect", "status"),
    [
        ("GET", "/v1/messages", "messages", 405),
        ("GET", "/v1/responses", "responses", 405),
        ("DELETE", "/v1/chat/completions", "chat", 405),
        ("POST", "/v1/models", "chat", 405),
        ("POST", "/chat/completions", "chat", 404),
        ("GET", "/v1/responses/resp_1", "chat", 404),
        ("POST", "/", "chat", 404),
    ],
)
def test_other_routes_are_refused(method: str, path: str, dialect: str, status: int, served: Served) -> None:
    response = served.http.request(method, path)
    assert response.status_code == status
    assert f"found {method} {path}" in error_of(dialect, response)["message"]


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_that_is_too_large_is_refused(declared: bool, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "BODY_BYTES", 2 << 20)
    raw = b" " * ((2 << 20) + 1)
    response = served.http.post("/v1/messages", content=raw if declared else iter([raw]))
    assert response.status_code == 413
    assert error_of("messages", response)["type"] == "request_too_large"
    assert served.http.post("/v1/messages", content=raw[:-1]).status_code == 400  # larger than aiohttp's own limit


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_body_that_cannot_be_unpacked_is_refused(coding: str, served: Served) -> None:
    response = served.http.post("/v1/messages", content=b"not packed", headers={"content-encoding": coding})
    assert (response.status_code, error_of("messages", response)["type"]) == (400, "invalid_request_error")


# ------------------------------------------------------------------------------------------------------- streams


@every_dialect
def test_a_stream_begins_and_is_kept_alive_while_the_model_thinks(
    dialect: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "HEADERS_WITHIN_S", 0.05)
    monkeypatch.setattr(handler, "KEEPALIVE_S", 0.05)
    thought = threading.Event()
    served = serve(Speaker(lambda: thought.wait(30), *content("hello")))
    body = clients.asked(dialect, USER, stream=True)
    told = b""
    with served.http.stream("POST", PATHS[dialect], json=body) as response:
        for piece in response.iter_raw():
            told += piece
            if told.count(b"ping" if dialect == "messages" else b": keepalive") >= 2:
                thought.set()
    assert b"hello" in told
    assert getattr(clients, dialect)(told)


def test_pieces_come_as_the_model_says_them(serve: Serve) -> None:
    heard = threading.Event()
    served = serve(
        Speaker(Delta("content", "first"), lambda: heard.wait(30), Delta("content", "last"), reply("firstlast"))
    )
    told = b""
    with served.http.stream("POST", PATHS["messages"], json=clients.asked("messages", USER, stream=True)) as response:
        for piece in response.iter_raw():
            told += piece
            if b"first" in told and not heard.is_set():
                assert b"last" not in told
                heard.set()
    assert clients.messages(told)["content"] == [{"type": "text", "text": "firstlast"}]
