from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from agentgym.errors import ModelError, UsageError
from agentgym.models import ContextOverflow, EndpointConfig, EndpointModel
from agentgym.protocols import Message, Usage
from tests.models.server import Answer, Server, answer, completion

PROMPT: list[Message] = [{"role": "system", "content": "Work."}, {"role": "user", "content": "Hello"}]
HELLO = answer(completion({"content": "Hi."}))
SECRET = "sk-very-secret-0123456789"

Play = Callable[..., tuple[EndpointModel, Server]]


@pytest.fixture
def play() -> Iterator[Play]:
    """play(*answers, **config): a server that gives these answers, and a model that asks it and is quick to retry."""
    with ExitStack() as stack:

        def start(*answers: Answer, **config: Any) -> tuple[EndpointModel, Server]:
            server = stack.enter_context(Server(*answers))
            defaults = {"model": "gpt-x", "base_url": server.base_url, "retries": 2, "backoff_s": 0.01, "timeout_s": 10}
            model = EndpointModel(EndpointConfig(**{**defaults, **config}))
            stack.callback(model.close)
            return model, server

        yield start


def test_a_reply_is_read_and_the_request_says_only_what_was_set(play: Play) -> None:
    model, server = play(HELLO, window_tokens=8192)
    reply = model.reply(PROMPT)
    assert reply.message == {"role": "assistant", "content": "Hi."}
    assert reply.finish_reason == "stop"
    assert reply.usage == Usage(prompt_tokens=11, completion_tokens=7)
    assert server.requests == [{"model": "gpt-x", "messages": PROMPT}]
    assert "authorization" not in server.headers[0]
    assert (model.name, model.window_tokens) == ("gpt-x", 8192)


def test_sampling_tools_and_extra_keys_are_sent(play: Play) -> None:
    model, server = play(HELLO, temperature=0.0, top_p=0.9, max_tokens=50, extra={"seed": 3, "max_tokens": 60})
    tools = [{"type": "function", "function": {"name": "bash", "parameters": {"type": "object"}}}]
    model.reply(PROMPT, tools)
    [body] = server.requests
    assert body["tools"] == tools
    assert (body["temperature"], body["top_p"], body["seed"], body["max_tokens"]) == (0.0, 0.9, 3, 60)


def test_tool_calls_and_reasoning_are_read_and_can_be_sent_back(play: Play) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
    message = {"content": None, "reasoning_content": "Look first.", "tool_calls": [call]}
    model, server = play(answer(completion(message, finish_reason="tool_calls")), HELLO)
    reply = model.reply(PROMPT)
    assert reply.message == {"role": "assistant", **message}
    assert reply.finish_reason == "tool_calls"
    model.reply([*PROMPT, reply.message, {"role": "tool", "tool_call_id": "call_1", "content": "a.py"}])
    assert server.requests[1]["messages"][2] == reply.message


def test_lax_servers_are_understood(play: Play) -> None:
    message = {"reasoning": "hm", "tool_calls": [{"function": {"name": "bash", "arguments": {"command": "ls"}}}]}
    model, _ = play(answer({"choices": [{"message": message}]}))
    reply = model.reply(PROMPT)
    [call] = reply.message["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"command": "ls"}
    assert call["id"].startswith("call_")
    assert reply.message["reasoning_content"] == "hm"
    assert reply.finish_reason == "tool_calls"
    assert reply.usage == Usage()


def test_a_server_that_counts_no_tokens_is_named_once(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    model, _ = play(answer({"choices": [{"message": {"content": "Hi."}}]}))
    model.reply(PROMPT)
    model.reply(PROMPT)
    [record] = [record for record in caplog.records if "counts no tokens" in record.getMessage()]
    assert record.levelno == logging.WARNING


def test_a_reply_cut_at_the_limit_says_so(play: Play) -> None:
    model, _ = play(answer(completion({"content": "Hi, I"}, finish_reason="length")))
    assert model.reply(PROMPT).finish_reason == "length"


def test_half_a_surrogate_pair_goes_neither_in_nor_out(play: Play) -> None:
    model, server = play(answer(json.dumps(completion({"content": "x\ud83d \ud83d\ude00"}))))
    assert model.reply([{"role": "user", "content": "y\ud83d"}]).message["content"] == "x\N{REPLACEMENT CHARACTER} 😀"
    assert server.requests[0]["messages"][0]["content"] == "y\ud83d"


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_what_passes_by_itself_is_retried(play: Play, status: int, caplog: pytest.LogCaptureFixture) -> None:
    model, server = play(answer({"error": {"message": "slow down"}}, status), HELLO)
    assert model.reply(PROMPT).message["content"] == "Hi."
    assert len(server.requests) == 2
    [warning] = [record.getMessage() for record in caplog.records if record.name == "agentgym.models.endpoint"]
    assert warning.startswith(f"POST {server.base_url}/chat/completions: {status}: slow down; again in 0.0 s")


def test_retry_after_is_honoured_in_seconds_and_as_a_date(play: Play) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    date = format_datetime(until, usegmt=True)
    model, _ = play(answer("busy", 429, Retry_After="0.5"), answer("busy", 503, Retry_After=date), HELLO)
    started = time.monotonic()
    model.reply(PROMPT)
    assert time.monotonic() - started >= 0.5
    assert until <= datetime.now(UTC) < until + timedelta(seconds=5)


def test_a_wait_longer_than_the_timeout_is_not_waited(play: Play) -> None:
    model, server = play(answer({"error": {"message": "daily limit"}}, 429, Retry_After="3600"))
    with pytest.raises(ModelError, match="daily limit; the server asks to wait 3600 s, longer than timeout_s"):
        model.reply(PROMPT)
    assert len(server.requests) == 1


def test_a_retry_after_that_nobody_can_read_is_ignored(play: Play) -> None:
    model, _ = play(answer("busy", 429, Retry_After="soon"), HELLO)
    model.reply(PROMPT)


def test_retries_come_to_an_end(play: Play) -> None:
    model, server = play(answer({"error": {"message": "overloaded"}}, 503))
    with pytest.raises(ModelError) as caught:
        model.reply(PROMPT)
    assert str(caught.value) == f"POST {server.base_url}/chat/completions: 503: overloaded; gave up after 3 attempts"
    assert len(server.requests) == 3


def test_the_wait_doubles_up_to_its_limit(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    model, _ = play(answer("busy", 503), retries=4, backoff_s=0.02, backoff_max_s=0.05)
    started = time.monotonic()
    with pytest.raises(ModelError):
        model.reply(PROMPT)
    assert 0.5 * (0.02 + 0.04 + 0.05 + 0.05) <= time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, {"error": {"message": "bad temperature"}}, "400: bad temperature"),
        (400, {"object": "error", "message": "bad top_p"}, "400: bad top_p"),
        (422, {"detail": [{"loc": ["body"]}]}, "422: [{'loc': ['body']}]"),
        (400, {"error": "no such template"}, "400: no such template"),
        (401, {"error": {"message": "who?"}}, "401: who? (no key was sent: set api_key_env or api_key_file)"),
        (404, "<h1>Not\nFound</h1>", "404: <h1>Not Found</h1> (check base_url and model, here 'gpt-x')"),
        (405, "", "405: Method Not Allowed"),
        (307, "", "307: Temporary Redirect"),
        (200, {"error": {"message": "pay first", "code": 402}}, "402: pay first"),
        (400, "x" * 600, "400: " + "x" * 500 + "…"),
        (429, {"error": {"message": "pay first", "code": "insufficient_quota"}}, "429: pay first"),
    ],
)
def test_what_does_not_pass_is_one_clear_line(play: Play, status: int, body: Any, said: str) -> None:
    model, server = play(answer(body, status))
    with pytest.raises(ModelError) as caught:
        model.reply(PROMPT)
    assert str(caught.value) == f"POST {server.base_url}/chat/completions: {said}"
    assert not isinstance(caught.value, ContextOverflow)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"choices": [', "200, but the body is no JSON object: '{\"choices\": ['"),
        ("[]", "200, but the body is no JSON object: '[]'"),
        ("<html>gateway</html>", "200, but the body is no JSON object: '<html>gateway</html>'"),
        ('{"choices": []}', "200, but the body is no chat completion: '{\"choices\": []}'"),
        ('{"choices": [{"message": {"tool_calls": [{}]}}]}', "200, but the body is no chat completion"),
        ('{"choices": [{"message": {"tool_calls": [{"function": {"name": null}}]}}]}', "no chat completion"),
        ('{"choices": [{"message": {}}], "usage": {"prompt_tokens": "many"}}', "no chat completion"),
        ("[" * 100_000, "no JSON object: '[[["),
        ('{"choices": [{"message": {"content": [{"text": "a"}]}}]}', "200, but the body is no chat completion"),
        ('{"error": {"message": "upstream died", "code": 502}}', "502: upstream died"),
    ],
)
def test_a_broken_answer_is_retried(play: Play, body: str, said: str) -> None:
    model, server = play(answer(body), HELLO)
    assert model.reply(PROMPT).message["content"] == "Hi."
    model, server = play(answer(body), retries=0)
    with pytest.raises(ModelError) as caught:
        model.reply(PROMPT)
    assert said in str(caught.value)
    assert server.base_url in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "too much", "code": "context_length_exceeded"}}),
        (400, {"error": {"message": "This model's maximum context length is 4096 tokens. However, you requested"}}),
        (400, {"error": {"message": "You passed 9 input tokens, the model's context length is only 8 tokens."}}),
        (400, {"object": "error", "message": "The input (9 tokens) is longer than the model's context length (8)."}),
        (400, {"error": {"message": "Input length (9 tokens) exceeds the maximum allowed length (8 tokens)."}}),
        (400, {"error": {"type": "exceed_context_size_error", "message": "request (9 tokens) exceeds"}}),
        (400, {"error": {"message": "prompt is too long: 9 tokens > 8 maximum"}}),
        (500, {"error": {"message": "the request exceeds the available context size"}}),
        (422, {"error": "`inputs` tokens + `max_new_tokens` must be <= 8", "error_type": "validation"}),
        (200, {"choices": None, "base_resp": {"status_code": 2013, "status_msg": "context window exceeds limit"}}),
    ],
)
def test_a_prompt_too_long_is_told_apart_and_not_retried(play: Play, status: int, body: Any) -> None:
    model, server = play(answer(body, status))
    with pytest.raises(ContextOverflow, match="POST http"):
        model.reply(PROMPT)
    assert len(server.requests) == 1


def test_throttling_by_tokens_is_no_overflow(play: Play) -> None:
    throttled = answer({"error": {"message": "Tokens per minute: the prompt is too long for now"}}, 429)
    model, server = play(throttled, HELLO)
    model.reply(PROMPT)
    assert len(server.requests) == 2


def test_a_server_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening: refuses
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        model = EndpointModel(EndpointConfig(model="gpt-x", base_url=url, retries=1, backoff_s=0.01))
        with pytest.raises(ModelError) as caught:
            model.reply(PROMPT)
    model.close()
    assert str(caught.value) == (
        f"POST {url}/chat/completions: [Errno 111] Connection refused; gave up after 2 attempts"
    )


async def _stall(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def _drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(1000):
        await response.write(b" \n")
        await asyncio.sleep(0.05)
    return response


async def _hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


@pytest.mark.parametrize("slow", [_stall, _drip])
def test_a_slow_answer_is_given_up_however_it_keeps_the_line_open(play: Play, slow: Answer) -> None:
    model, _ = play(slow, timeout_s=0.3, retries=0)
    started = time.monotonic()
    with pytest.raises(ModelError, match=r"no answer in 0\.3 s; gave up after 1 attempt$"):
        model.reply(PROMPT)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("broken", [_stall, _hang_up])
def test_a_lost_connection_is_retried(play: Play, broken: Answer) -> None:
    model, server = play(broken, HELLO, timeout_s=0.5)
    assert model.reply(PROMPT).message["content"] == "Hi."
    assert len(server.requests) == 2


def test_threads_share_a_model(play: Play) -> None:
    model, server = play(answer("busy", 503), HELLO)
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: model.reply(PROMPT), range(200)))
    assert {reply.message["content"] for reply in replies} == {"Hi."}
    assert len(server.requests) == 201


# ------------------------------------------------------------------------------------------------------- the key


def test_the_key_is_sent_and_never_shown(
    play: Play, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DEMO_KEY", f"{SECRET}\n")
    quoting = [
        answer({"error": {"message": f"bad key {SECRET}"}}, 503),
        answer({"choices": SECRET}),
        answer(f"no: Bearer {SECRET}", 401),
    ]
    model, server = play(*quoting, api_key_env="DEMO_KEY")
    with caplog.at_level(logging.DEBUG), pytest.raises(ModelError) as caught:
        model.reply(PROMPT)
    assert server.headers[0]["authorization"] == f"Bearer {SECRET}"
    assert str(caught.value).endswith("401: no: Bearer [key] (check the key in DEMO_KEY)")
    assert SECRET not in caplog.text
    assert SECRET not in f"{model!r} {model.config!r} {caught.value!r}"
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_the_key_may_lie_in_a_file(play: Play, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{SECRET}\n")
    model, server = play(HELLO, api_key_file=tmp_path / "key")
    model.reply(PROMPT)
    assert server.headers[0]["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("content", "said"), [("", "empty or missing"), ("a b", "not one word"), ("clé", "not one word of plain ASCII")]
)
def test_a_key_that_cannot_be_one_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "key").write_text(content)
    with pytest.raises(UsageError, match=said):
        EndpointModel(EndpointConfig(model="m", base_url="http://localhost/v1", api_key_file=tmp_path / "key"))


def test_a_key_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEMO_KEY", raising=False)
    config: dict[str, Any] = {"model": "m", "base_url": "http://localhost/v1"}
    with pytest.raises(UsageError, match="the key in environment variable DEMO_KEY is empty or missing"):
        EndpointModel(EndpointConfig(**config, api_key_env="DEMO_KEY"))
    with pytest.raises(UsageError, match=r"api_key_file .*nowhere cannot be read"):
        EndpointModel(EndpointConfig(**config, api_key_file=tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="wanted one of them"):
        EndpointModel(EndpointConfig(**config, api_key_env="A", api_key_file=tmp_path))


# ------------------------------------------------------------------------------------------------------- specs


def test_a_spec_is_a_model_at_a_url() -> None:
    model = EndpointModel.from_spec("org/gpt@2@http://localhost:8000/v1/", {"temperature": 0.5})
    assert (model.config.model, model.config.base_url) == ("org/gpt@2", "http://localhost:8000/v1")
    assert model.config.temperature == 0.5
    model.close()


def test_a_spec_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text('model = "gpt-x"\nbase_url = "http://localhost/v1"\nmax_tokens = 5\n')
    model = EndpointModel.from_spec(str(tmp_path / "m.toml"), {"max_tokens": 6})
    assert (model.name, model.config.max_tokens) == ("gpt-x", 6)
    model.close()


@pytest.mark.parametrize(
    ("rest", "options", "said"),
    [
        ("gpt-x", {}, "wanted endpoint:MODEL@BASE_URL"),
        ("@http://localhost/v1", {}, "wanted endpoint:MODEL@BASE_URL"),
        ("gpt-x@localhost:8000", {}, "base_url: Value error, found 'localhost:8000', wanted http://HOST"),
        ("gpt-x@http://h:port/v1", {}, "base_url: Value error, found 'http://h:port/v1': Invalid port: 'port'"),
        ("gpt-x@http://h/v1?key=1", {}, "a key goes into api_key_env"),
        (
            "gpt-x@http://h/v1",
            {"temprature": 1},
            "takes no option 'temprature' (nearest known option: \"temperature\")",
        ),
        ("gpt-x@http://h/v1", {"temperature": -1}, "temperature: Input should be greater than or equal to 0"),
        ("nowhere.toml", {}, "nowhere.toml: cannot be read: No such file or directory"),
    ],
)
def test_a_spec_that_is_wrong_is_one_clear_line(rest: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        EndpointModel.from_spec(rest, options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
