"""`agentgym play`: piped as a script would, and on a terminal with Ctrl-C."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from agentgym.store import TrajectoryStore
from tests.cli.conftest import Cli, MakeTask, command, environment


def test_a_piped_session(cli: Cli, make_task: MakeTask, sandbox: str, tmp_path: Path) -> None:
    make_task()
    lines = ["cat answer.txt", "cd /tmp", "pwd; false", ":test", "cd /app; echo right > answer.txt", ":read answer.txt",
             ':tool search {"pattern": "rig"}', ":history", ":submit"]  # fmt: skip
    done = cli("play", "fix-answer", "--sandbox", sandbox, "--out", "p.jsonl", stdin="\n".join(lines) + "\n")
    assert done.returncode == 0, done.stderr
    out = done.stdout
    assert out.startswith("# Answer\n\nMake `answer.txt` say right.\n")
    assert "1> cat answer.txt\nwrong\n" in out
    assert "3> pwd; false\n/tmp\n[exit code 1]\n" in out
    assert "exit code 1" in out[out.index(":test") :]
    assert "answer.txt:1: right" in out
    assert "   1  cat answer.txt\n" in out
    assert "reward 1  (submitted)" in out
    (kept,) = TrajectoryStore(tmp_path / "p.jsonl")
    assert (kept.scaffold, kept.reward, len(kept.turns)) == ("play", 1.0, 8)


def test_not_solved_is_exit_code_1(cli: Cli, make_task: MakeTask) -> None:
    make_task()
    done = cli("play", "fix-answer", stdin=":submit\n")
    assert done.returncode == 1, done.stderr
    assert "reward 0" in done.stdout


def test_no_verdict_is_exit_code_3(cli: Cli, make_task: MakeTask) -> None:
    make_task(**{"tests/test.sh": "#!/bin/bash\nexit 5\n"})
    done = cli("play", "fix-answer", stdin=":submit\n")
    assert done.returncode == 3
    assert "no reward: grader: " in done.stderr


@pytest.mark.parametrize("lines", [":quit\n", ""])
def test_left_without_grading(cli: Cli, make_task: MakeTask, lines: str) -> None:
    make_task()
    done = cli("play", "fix-answer", stdin=lines)
    assert done.returncode == 0, done.stderr
    assert "reward" not in done.stdout


def test_undo(cli: Cli, make_task: MakeTask, sandbox: str) -> None:
    make_task()
    lines = ["echo one > new.txt", "rm answer.txt; echo two > new.txt", ":read new.txt", ":undo", "cat new.txt answer.txt",
             ":undo", ":undo", "ls new.txt", ":undo", ":undo"]  # fmt: skip
    done = cli("play", "fix-answer", "--sandbox", sandbox, stdin="\n".join(lines) + "\n")
    assert done.returncode == 0, done.stderr
    assert "5> cat new.txt answer.txt\none\nwrong\n" in done.stdout
    assert "No such file or directory" in done.stdout[done.stdout.index("8> ls new.txt") :]
    assert done.stderr.count("the files are as they were before the last step") == 4
    assert "there is no step to undo" in done.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (":hlep", 'no command :hlep (nearest known command: "help"); :help lists them'),
        (":tool serach {}", 'no tool serach (nearest known tool: "search")'),
        (":tool search {oops", "the arguments are not JSON"),
        (":tool search [1]", "the arguments are no object"),
        (":tool", ":tools lists them"),
    ],
)
def test_mistakes_do_not_end_the_session(cli: Cli, make_task: MakeTask, line: str, said: str) -> None:
    make_task()
    done = cli("play", "fix-answer", stdin=f"{line}\necho still here\n")
    assert done.returncode == 0
    assert said in done.stderr
    assert "still here\n" in done.stdout.splitlines(keepends=True)


def test_no_test_command(cli: Cli, make_task: MakeTask) -> None:
    folder = make_task()
    file = folder / "task.toml"
    file.write_text(file.read_text().replace("test_command", "#"))
    done = cli("play", "fix-answer", stdin=":test\n:tools\n:help\n:instruction\n")
    assert "no tool run_tests; the task names no test_command" in done.stderr
    assert "run_tests" not in done.stdout
    assert ":undo" in done.stdout
    assert done.stdout.count("# Answer") == 2


def test_ctrl_c_interrupts_the_command_and_not_the_session(make_task: MakeTask, tmp_path: Path) -> None:
    make_task()
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        command("play", "fix-answer"),
        cwd=tmp_path,
        env={**environment(), "TERM": "dumb"},
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
        expect("1> ")
        os.write(ours, b"sleep 60; echo cut short\n")
        expect("cut short")
        time.sleep(1)  # nothing shows from outside that the command has begun
        os.killpg(running.pid, signal.SIGINT)
        expect("2> ")
        os.write(ours, b"cat answer.txt\n")
        expect("\nwrong")
        expect("3> ")
        os.write(ours, b"half a line")
        expect("half a line")
        time.sleep(0.5)  # a signal that finds readline at work is seen with the next key only
        os.killpg(running.pid, signal.SIGINT)
        expect("3> ")
        os.write(ours, b"\x15:quit\n")
        assert running.wait(30) == 0
    finally:
        running.kill()
        running.wait()
        os.close(ours)
