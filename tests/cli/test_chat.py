"""`agentgym chat`: with a scripted model that streams, and on a terminal with Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, command, environment

# answers with the number of messages and an echo; "slow" takes a minute, "long" does not fit, "cut" ends at the limit,
# "think" is thought about first, "call" is a tool call, "what?" asks for what was said
MODEL = """
import time
from types import SimpleNamespace

def content(text):
    return SimpleNamespace(kind="content", text=text)

class TooLong(Exception):
    context_overflow = True

class Echo:
    name = "echo"

    @classmethod
    def from_spec(cls, rest, options):
        if rest != "here":
            raise ValueError(f"{rest} is not here")
        return cls(options)

    def __init__(self, options):
        self.options = options

    def reply(self, messages, tools=(), sampling=None):
        raise NotImplementedError

    def stream(self, messages, tools=(), sampling=None):
        said = messages[-1]["content"]
        if said == "long":
            raise TooLong("the prompt has 9 tokens")
        message = {"role": "assistant", "content": f"{len(messages)}: {said}"}
        if said == "think":
            for word in ("well, ", "\\x1b[2Jhm"):
                yield SimpleNamespace(kind="reasoning", text=word)
        if said == "call":
            message["tool_calls"] = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
        yield content(f"{len(messages)}: ")
        if said == "slow":
            for n in range(600):
                yield content(f"{n} ")
                time.sleep(0.1)
        yield content("\\x1b[2J" if said == "escape" else said)
        if said == "options":
            yield content(f" {sorted(self.options.items())}")
        if said == "what?":
            yield content(f" {messages[:-1]}")
        yield SimpleNamespace(
            message=message,
            finish_reason="length" if said == "cut" else "stop",
            usage=SimpleNamespace(prompt_tokens=1, completion_tokens=2),
        )
"""


@pytest.fixture
def chat_environment(tmp_path: Path) -> dict[str, str]:
    """With an installed package that registers the model `echo`."""
    (tmp_path / "echo_model.py").write_text(MODEL)
    folder = tmp_path / "echo-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: echo\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[agentgym.models]\necho = echo_model:Echo\n")
    return {**environment(), "PYTHONPATH": str(tmp_path)}


@pytest.fixture
def chat(chat_environment: dict[str, str], tmp_path: Path) -> Cli:
    """chat(*arguments, stdin=""): run in tmp_path."""

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command("chat", *arguments),
            input=stdin, cwd=tmp_path, env=chat_environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    return run


def test_one_prompt(chat: Cli) -> None:
    done = chat("--model", "echo:here", "--system", "be", "--prompt", "hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, "2: hello\n", "loading echo:here\n")


def test_lines_are_messages_of_one_conversation(chat: Cli) -> None:
    done = chat("--model", "echo:here", stdin="a\n\nb\n/reset\nc\n/rest\ncut\n/quit\nd\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1: a\n3: b\n1: c\n3: cut\n"
    assert "a new conversation" in done.stderr
    assert 'no command /rest (nearest known command: "/reset")' in done.stderr
    assert "cut off after 2 tokens" in done.stderr


def test_json_is_a_line_a_reply(chat: Cli) -> None:
    done = chat("--model", "echo:here", "--json", stdin="a\ncut\n")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"message": {"role": "assistant", "content": text}, "finish_reason": reason,
         "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
        for text, reason in (("1: a", "stop"), ("3: cut", "length"))
    ]  # fmt: skip


def test_options_reach_the_model(chat: Cli) -> None:
    options = [part for given in ("t=0.5", "name=x", "on=true") for part in ("--option", given)]
    done = chat("--model", "echo:here", *options, "--prompt", "options")
    assert done.stdout == "1: options [('name', 'x'), ('on', True), ('t', 0.5)]\n"


def test_what_a_model_writes_does_not_steer_the_terminal(chat: Cli) -> None:
    assert chat("--model", "echo:here", "--prompt", "escape").stdout == "1: [2J\n"


def test_reasoning_is_no_part_of_the_result(chat: Cli) -> None:
    done = chat("--model", "echo:here", "--prompt", "think")
    assert (done.returncode, done.stdout) == (0, "1: think\n")
    assert done.stderr == "loading echo:here\nwell, [2Jhm\n\n"


def test_a_tool_call_is_shown(chat: Cli) -> None:
    done = chat("--model", "echo:here", "--prompt", "call")
    assert (done.stdout, done.stderr) == ("1: call\n", "loading echo:here\ncalls f {}\n")


def test_a_reply_that_fails_does_not_end_the_conversation(chat: Cli) -> None:
    done = chat("--model", "echo:here", stdin="a\nlong\nb\n")
    assert (done.returncode, done.stdout) == (0, "1: a\n3: b\n")
    assert "the prompt has 9 tokens; /reset begins a new conversation" in done.stderr
    done = chat("--model", "echo:here", "--prompt", "long")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.endswith("error: the prompt has 9 tokens\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "echo:there"], "model echo:there: there is not here"),
        (["--model", "endpoint:x@http://127.0.0.1:9/v1"], "cannot stream its replies; chat with one that can"),
        (["--model", "echo:here", "--option", "t"], "--option t: wanted KEY=VALUE"),
        (["--model", "echo:here", "--option", "t=1", "--option", "t=2"], "--option t=2: t is given twice"),
        ([], "missing option '--model'"),
    ],
)
def test_mistakes_are_one_line(chat: Cli, arguments: list[str], said: str) -> None:
    done = chat(*arguments)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_the_reply_and_not_the_conversation(chat_environment: dict[str, str], tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        command("chat", "--model", "echo:here"),
        cwd=tmp_path,
        env={**chat_environment, "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = ""

    def expect(text: str) -> None:
        nonlocal seen
        deadline = time.monotonic() + 30
        while text not in seen:
            assert select.select([ours], [], [], max(0, deadline - time.monotonic()))[0], f"no {text!r} in {seen!r}"
            seen += os.read(ours, 4096).decode()
        seen = seen.partition(text)[2]

    try:
        expect("> ")
        os.write(ours, b"slow\n")
        expect("1: 0 1 2")
        os.killpg(running.pid, signal.SIGINT)
        expect("interrupted")
        expect("> ")
        os.write(ours, b"what?\n")
        expect("3: what? [{'role': 'user', 'content': 'slow'}, {'role': 'assistant', 'content': '1: 0 1 2")
        expect("> ")
        os.write(ours, b"\x04")
        assert running.wait(30) == 0
    finally:
        running.kill()
        running.wait()
        os.close(ours)
