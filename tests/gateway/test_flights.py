"""Retries never become second calls, and nobody's call goes on for nobody."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from agentgym.errors import ModelError
from agentgym.gateway import flights
from agentgym.protocols import Delta, Model
from tests.gateway.dialects import clients
from tests.gateway.served import PATHS, Served, Speaker, content, reply

Serve = Callable[[Model], Served]
USER = [{"role": "user", "content": "hi"}]
every_dialect = pytest.mark.parametrize("dialect", PATHS)
every_manner = pytest.mark.parametrize("stream", [False, True])


class Gate:
    """A place in a reply that a test opens."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.opened.wait(30)


def give_up(served: Served, dialect: str, stream: bool, gate: Gate) -> None:
    """Ask, and go away when the model is at the gate."""
    body = clients.asked(dialect, USER, stream=stream)
    with served.client(served.session.key) as client, contextlib.suppress(httpx.ReadTimeout):
        client.post(PATHS[dialect], json=body, timeout=httpx.Timeout(30, read=0.3))
    assert gate.reached.is_set()


@every_dialect
@every_manner
def test_a_retry_after_a_broken_connection_joins_the_call(dialect: str, stream: bool, serve: Serve) -> None:
    gate = Gate()
    speaker = Speaker(Delta("content", "hel"), gate, Delta("content", "lo"), reply("hello"))
    served = serve(speaker)
    give_up(served, dialect, stream, gate)
    with ThreadPoolExecutor() as threads:
        again = threads.submit(served.post, PATHS[dialect], clients.asked(dialect, USER, stream=stream))
        time.sleep(0.2)  # long enough for the request to arrive
        gate.opened.set()
        response = again.result()
    assert "hello" in response.text or getattr(clients, dialect)(response.content)
    assert len(speaker.asked) == len(served.session.calls) == 1
    # it has its answer now: the same request once more is a new one
    assert served.post(PATHS[dialect], clients.asked(dialect, USER, stream=stream)).status_code == 200
    assert len(speaker.asked) == len(served.session.calls) == 2


@every_dialect
@every_manner
def test_a_retry_that_says_so_gets_the_answer_that_is_there(dialect: str, stream: bool, served: Served) -> None:
    body = clients.asked(dialect, USER, stream=stream)
    first = served.post(PATHS[dialect], body, x_stainless_retry_count="0")
    again = served.post(PATHS[dialect], body, x_stainless_retry_count="1")
    read = getattr(clients, dialect) if stream else lambda raw: httpx.Response(200, content=raw).json()
    assert read(again.content) == read(first.content)
    assert len(served.session.calls) == 1
    served.post(PATHS[dialect], {**body, "model": "another"}, x_stainless_retry_count="1")
    assert len(served.session.calls) == 2


def test_requests_that_only_look_alike_are_two_calls(served: Served) -> None:
    body = clients.asked("chat", USER)
    ids = {served.post(PATHS["chat"], body).json()["id"] for _ in range(2)}
    assert len(ids) == len(served.session.calls) == 2
    other = served.gateway.open(Speaker())
    with served.client(other.key) as client:
        headers = {"x-stainless-retry-count": "1"}
        assert client.post(PATHS["chat"], json=body, headers=headers).json()["id"] not in ids


def test_a_failed_call_is_asked_again(serve: Serve) -> None:
    served = serve(Speaker(ModelError("gone")))
    for count in ("0", "1"):
        response = served.post(PATHS["chat"], clients.asked("chat", USER), x_stainless_retry_count=count)
        assert response.status_code == 502
    assert [call.error for call in served.session.calls] == ["gone"] * 2


@every_manner
def test_a_call_that_nobody_waits_for_is_ended(stream: bool, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "GRACE_S", 0.1)
    gate = Gate()
    speaker = Speaker(Delta("content", "hel"), gate, *[Delta("content", "lo")] * 2, reply("hello"))
    served = serve(speaker)
    give_up(served, "chat", stream, gate)
    time.sleep(0.5)
    gate.opened.set()
    assert speaker.closed.wait(10)
    [call] = served.session.calls
    assert (call.reply, call.error) == (None, "the caller went away")
    # whoever comes back now asks anew
    assert served.post(PATHS["chat"], clients.asked("chat", USER)).status_code == 200
    assert [call.error for call in served.session.calls] == ["the caller went away", ""]


def test_old_answers_are_forgotten(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "KEPT_S", 0.1)
    served = serve(Speaker(*content("hello")))
    body = clients.asked("chat", USER)
    first = served.post(PATHS["chat"], body).json()["id"]
    time.sleep(0.5)
    assert served.post(PATHS["chat"], body, x_stainless_retry_count="1").json()["id"] != first
    for number in range(flights.KEPT_CALLS + 1):
        served.post(PATHS["chat"], {**body, "model": str(number)})
    assert served.post(PATHS["chat"], {**body, "model": "0"}, x_stainless_retry_count="1").status_code == 200
    assert len(served.session.calls) == 2 + flights.KEPT_CALLS + 1 + 1
