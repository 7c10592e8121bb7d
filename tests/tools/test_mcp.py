"""Tools of real MCP servers, over stdio and over streamable HTTP on the loopback."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from agentgym.errors import SandboxError, SandboxUnavailable
from agentgym.protocols import ToolCall, ToolContext
from agentgym.tools import Output, ToolPool

pytest.importorskip("mcp", reason="the extra agentgym[mcp] is not installed")

from agentgym.tools.mcp import HttpServer, McpConnection, StdioServer

REPOSITORY = Path(__file__).parents[2]
NAMES = ["add", "environment", "odd_name_1", "fail", "refuse", "wait", "mixed", "only_structured", "long", "die"]


def stdio(**changes: object) -> StdioServer:
    arguments = {
        "name": "tiny",
        "command": sys.executable,
        "args": ["-m", "tests.tools.mcp_server", "stdio"],
        "cwd": REPOSITORY,
        "runs_on": "host",
    }
    return StdioServer.model_validate(arguments | changes)


@pytest.fixture
def http() -> Iterator[HttpServer]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.tools.mcp_server", "http", str(port)]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield HttpServer(name="tiny", url=f"http://127.0.0.1:{port}/mcp")
        process.kill()


@pytest.fixture(params=["stdio", "http"])
def connection(request: pytest.FixtureRequest) -> Iterator[McpConnection]:
    config = stdio() if request.param == "stdio" else request.getfixturevalue("http")
    with McpConnection(config, Output(max_chars=200)) as connection:
        yield connection


def test_tools_behave_the_same_over_either_transport(connection: McpConnection, context: ToolContext) -> None:
    pool = ToolPool(connection.tools)

    def call(tool: str, **arguments: object) -> tuple[str, bool]:
        result = pool.call(ToolCall(f"tiny__{tool}", arguments), context)
        return result.content, result.is_error

    assert list(pool) == [f"tiny__{name}" for name in NAMES]
    assert pool["tiny__add"].description == "Add two numbers."
    assert pool["tiny__add"].schema()["required"] == ["a", "b"]
    assert call("add", a=1, b=2) == ("3", False)
    assert call("add", a="1", b="2") == ("3", False)
    assert call("odd_name_1") == ("odd", False)
    assert call("fail") == ("no such page", True)
    assert call("refuse") == ("The tool failed: not today", True)
    assert call("mixed") == ("one\n[image, image/png]\n[resource https://example.org/page]\ntwo", False)
    assert call("only_structured") == ('{"answer": 42}', False)
    content, is_error = call("long")
    assert "[... 800 characters left out ...]" in content
    content, is_error = call("add", a="one")
    assert is_error
    assert "should be a valid integer" in content
    context.timeout_s = 0.3
    assert call("wait", seconds=30) == ("[timed out after 0.3 s]", True)
    context.timeout_s = 20.0
    assert call("add", a=1, b=2) == ("3", False)


def test_a_dead_server_is_infrastructure(connection: McpConnection, context: ToolContext) -> None:
    pool = ToolPool(connection.tools)
    for name in ("tiny__die", "tiny__add"):
        with pytest.raises(SandboxError, match="MCP server 'tiny' died: "):
            pool.call(ToolCall(name, {"a": 1, "b": 2} if name == "tiny__add" else {}), context)


def test_what_a_dying_server_wrote_is_told(context: ToolContext) -> None:
    with McpConnection(stdio()) as connection:
        (die,) = (tool for tool in connection.tools if tool.remote_name == "die")
        with pytest.raises(SandboxError, match="it wrote 'goodbye, cruel world'"):
            die.call({}, context)


def test_calls_from_many_threads_run_at_once(connection: McpConnection, context: ToolContext) -> None:
    pool = ToolPool(connection.tools)
    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        calls = [ToolCall("tiny__wait", {"seconds": 0.5}) for _ in range(8)]
        results = list(threads.map(lambda call: pool.call(call, context).content, calls))
    assert results == ["waited"] * 8
    assert time.monotonic() - began < 3


def test_closing_ends_calls_under_way(connection: McpConnection, context: ToolContext) -> None:
    (wait,) = (tool for tool in connection.tools if tool.remote_name == "wait")
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(wait.call, {"seconds": 30}, context)
        time.sleep(0.3)
        connection.close()
        with pytest.raises(SandboxError):
            call.result(timeout=10)


def test_two_servers_side_by_side_and_the_loop_ends_with_the_last(context: ToolContext) -> None:
    before = threading.active_count()
    with McpConnection(stdio(name="one")) as one, McpConnection(stdio(name="two")) as two:
        pool = ToolPool.default().add(*one.tools, *two.tools)
        assert pool.call(ToolCall("one__add", {"a": 1, "b": 2}), context).content == "3"
        assert pool.call(ToolCall("two__add", {"a": 3, "b": 4}), context).content == "7"
        assert pool.rename({"one__add": "plus"})["plus"].schema() == pool["two__add"].schema()
    one.close()
    with pytest.raises(SandboxError, match="MCP server 'one' is not open"):
        pool.call(ToolCall("one__add", {"a": 1, "b": 2}), context)
    assert threading.active_count() == before


def test_the_server_process_gets_no_more_environment_than_it_was_given(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    with McpConnection(stdio(env={"GIVEN": "yes"})) as connection:
        pool = ToolPool(connection.tools)
        assert pool.call(ToolCall("tiny__environment", {"name": "SECRET_KEY"}), context).content == "not set"
        assert pool.call(ToolCall("tiny__environment", {"name": "GIVEN"}), context).content == "yes"


def test_a_server_process_must_be_wanted_on_the_host() -> None:
    with pytest.raises(ValidationError, match="runs_on"):
        StdioServer.model_validate({"name": "tiny", "command": "server"})
    with pytest.raises(ValidationError, match="runs_on"):
        StdioServer.model_validate({"name": "tiny", "command": "server", "runs_on": "sandbox"})
    with pytest.raises(ValidationError, match="name"):
        HttpServer(name="my server", url="http://127.0.0.1/mcp")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"command": "/no/such/program"}, "MCP server 'tiny' did not start: .*No such file or directory"),
        ({"command": "false", "args": []}, "MCP server 'tiny' did not start: Connection closed$"),
        ({"args": ["-c", "raise SystemExit('no licence')"]}, "Connection closed; it wrote 'no licence'"),
        ({"command": "cat", "args": []}, "MCP server 'tiny' did not start: Method not found"),
        ({"command": "sleep", "args": ["60"], "start_timeout_s": 0.2}, "it was not ready within 0.2 s$"),
    ],
)
def test_a_server_that_does_not_start(changes: dict[str, object], said: str) -> None:
    before = threading.active_count()
    with pytest.raises(SandboxUnavailable, match=said):
        McpConnection(stdio(**changes)).open()
    assert threading.active_count() == before


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(SandboxUnavailable, match="MCP server 'tiny' did not start: All connection attempts failed"):
        McpConnection(HttpServer(name="tiny", url="http://127.0.0.1:1/mcp")).open()


def test_without_the_package_one_line_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['mcp'] = None\n"
        "from agentgym.errors import UsageError\n"
        "try:\n    import agentgym.tools.mcp\nexcept UsageError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=REPOSITORY)
    assert done.stdout == "MCP servers need the package 'mcp': pip install 'agentgym[mcp]'\n"
