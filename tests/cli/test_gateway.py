"""`agentgym gateway`, as an agent outside every sandbox uses it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Cli, command, environment


@pytest.fixture
def script(tmp_path: Path) -> str:
    file = tmp_path / "hello.toml"
    file.write_text('[[replies]]\ncontent = "hello"\n')
    return f"scripted:{file}"


@pytest.mark.parametrize("as_json", [False, True])
def test_an_agent_asks_until_ctrl_c_and_every_call_is_recorded(as_json: bool, script: str, tmp_path: Path) -> None:
    out = tmp_path / "mine.calls.jsonl"
    words = command("gateway", "--model", script, "--out", str(out), *(["--json"] if as_json else []))
    with subprocess.Popen(
        words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        told = json.loads(line) if as_json else dict(zip(("base_url", "key"), line.split(), strict=True))
        body = {"model": "any", "messages": [{"role": "user", "content": "hi"}]}
        headers = {"authorization": f"Bearer {told['key']}"}
        answer = httpx.post(
            f"{told['base_url']}/v1/chat/completions", json=body, headers=headers, trust_env=False, timeout=30
        )
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=30)
    assert answer.json()["choices"][0]["message"]["content"] == "hello"
    assert (process.returncode, rest, said) == (0, "", f"1 calls, recorded in {out}\n")
    kinds = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["kind"] for line in kinds] == ["session", "call", "seal"]
    assert kinds[1]["request"] == body
    assert kinds[1]["response"] == answer.json()


def test_a_port_that_is_taken_is_one_line(script: str, cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        run = cli("gateway", "--model", script, "--port", port)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith(f"error: --port {port}: cannot be listened on: Address already in use")
    assert run.stderr.count("\n") == 1


def test_a_record_that_cannot_be_written_is_one_line(script: str, cli: Cli) -> None:
    run = cli("gateway", "--model", script, "--out", "/proc/nowhere/mine.calls.jsonl")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("error: --out /proc/nowhere/mine.calls.jsonl: cannot be written: ")
    assert run.stderr.count("\n") == 1
