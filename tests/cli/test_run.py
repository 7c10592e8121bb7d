"""`agentgym run` on tiny tasks: rewards, the file it leaves, and every way to be cut short."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgym.store import TrajectoryStore
from tests.cli.conftest import Cli, MakeTask, command, environment

Script = Callable[..., str]
SOLVE = ("echo right > answer.txt", "submit")


def begin(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command, left running."""
    return subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def await_lines(file: Path, n: int) -> None:
    """Until the file has at least n lines."""
    deadline = time.monotonic() + 60
    while not file.exists() or file.read_bytes().count(b"\n") < n:
        assert time.monotonic() < deadline, f"{file} never had {n} lines"
        time.sleep(0.05)


def test_rewards_and_trajectories(cli: Cli, make_task: MakeTask, sandbox: str, tmp_path: Path) -> None:
    make_task("a")
    make_task("b")
    done = cli("run", "a", "b", "--scaffold", "oracle,nop", "--parallel", "2", "--out", "r.jsonl", "--seed", "7",
               "--sandbox", sandbox)  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines()[2:]}
    assert rows["oracle"][:6] == ["oracle", "none", "2", "1.000", "2", "0"]
    assert rows["nop"][:6] == ["nop", "none", "2", "0.000", "0", "0"]
    assert "[4/4] reward" in done.stderr
    kept = list(TrajectoryStore(tmp_path / "r.jsonl"))
    assert {(t.task.name, t.scaffold, t.reward, t.seed, t.backend) for t in kept} == {
        (task, scaffold, reward, 7, sandbox) for task in "ab" for scaffold, reward in (("oracle", 1.0), ("nop", 0.0))
    }


def test_a_model_and_json(cli: Cli, make_task: MakeTask, script: Script) -> None:
    make_task()
    done = cli("run", "fix-answer", "--model", script(*SOLVE), "--attempts", "2", "--out", "r.jsonl", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    group = told["groups"][0]
    assert {key: group[key] for key in ("scaffold", "model", "n", "n_solved", "n_unknown", "reward_mean")} == {
        "scaffold": "bash", "model": "scripted", "n": 2, "n_solved": 2, "n_unknown": 0, "reward_mean": 1.0,
    }  # fmt: skip
    assert group["stop_reasons"] == {"submitted": 2}
    assert told["unknown"] == []


def test_one_task_that_is_not_solved_is_exit_code_1(cli: Cli, make_task: MakeTask, script: Script) -> None:
    make_task()
    done = cli("run", "fix-answer", "--model", script("ls", "ls", "submit"), "--max-turns", "2", "--out", "r.jsonl")
    assert done.returncode == 1, done.stderr
    assert "max_turns" in done.stderr


def test_without_out_the_file_is_named_by_the_time(cli: Cli, make_task: MakeTask, tmp_path: Path) -> None:
    make_task()
    done = cli("run", "fix-answer", "--scaffold", "oracle")
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "runs").iterdir()
    assert f"trajectories: runs/{file.name}" in done.stderr


def test_what_is_settled_is_not_run_again(cli: Cli, make_task: MakeTask, script: Script, tmp_path: Path) -> None:
    make_task()
    arguments = ("run", "fix-answer", "--scaffold", "nop,bash", "--model", script("ls"), "--out", "r.jsonl")
    first = cli(*arguments)
    assert first.returncode == 3, first.stderr  # the script is exhausted: the model's fault, no reward
    assert "Without a reward" in first.stdout
    assert "exhausted" in first.stdout
    script(*SOLVE)
    second = cli(*arguments)
    assert "1 of 2 settled before, 1 to go" in second.stderr
    assert second.returncode == 1, second.stderr
    assert [(t.scaffold, t.reward) for t in TrajectoryStore(tmp_path / "r.jsonl")] == [
        ("nop", 0.0), ("bash", None), ("bash", 1.0),
    ]  # fmt: skip
    third = cli(*arguments)
    assert "2 of 2 settled before, 0 to go" in third.stderr
    assert third.stdout.splitlines()[2:] == second.stdout.splitlines()[2:]


def test_a_grader_without_a_verdict_is_exit_code_3(cli: Cli, make_task: MakeTask) -> None:
    make_task("good")
    make_task("bad", **{"tests/test.sh": "#!/bin/bash\necho I broke; exit 5\n"})
    done = cli("run", "good", "bad", "--scaffold", "oracle", "--out", "r.jsonl", "--json")
    assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    assert told["groups"][0]["reward_mean"] == 1.0
    (unknown,) = told["unknown"]
    assert (unknown["task"], unknown["owner"]) == ("bad", "grader")
    assert "I broke" in unknown["message"]


def test_an_image_that_cannot_be_built_leaves_the_others_alone(cli: Cli, make_task: MakeTask) -> None:
    make_task("good")
    make_task("bad", **{"environment/Dockerfile": "FROM python:3.11-bookworm\nRUN echo no; exit 9\n"})
    done = cli("run", "bad", "good", "--scaffold", "oracle", "--out", "r.jsonl", "--json")
    assert done.returncode == 2, done.stderr
    told = json.loads(done.stdout)
    assert (told["finished"], list(told["unbuilt"])) == (1, ["bad"])
    alone = cli("run", "bad", "--scaffold", "oracle", "--out", "r2.jsonl")
    assert alone.returncode == 2
    assert "error: " in alone.stderr
    assert "exit code 9" in alone.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "scaffold bash asks a model and none was named"),
        (("--scaffold", "orcale"), '(nearest known scaffold: "oracle")'),
        (("--scaffold", "nop", "--sandbox", "dokcer"), "no sandbox backend is called 'dokcer'"),
        (("--model", "scripted:none.toml"), "none.toml: cannot be read"),
        (("--scaffold", "nop", "--out", "."), "--out .: found a folder, wanted a file"),
    ],
)
def test_refused_before_anything_is_built(cli: Cli, make_task: MakeTask, arguments: tuple[str, ...], said: str) -> None:
    make_task()
    done = cli("run", "fix-answer", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_keeps_what_is_finished(
    cli: Cli, make_task: MakeTask, script: Script, sandbox: str, tmp_path: Path, number: signal.Signals
) -> None:
    for name in ("a", "b", "c"):
        make_task(name)
    slow = script("[ -e /tmp/x ]", "echo right > answer.txt; sleep 1.5", "submit")
    arguments = ("run", "a", "b", "c", "--model", slow, "--out", "r.jsonl", "--sandbox", sandbox)
    running = begin(tmp_path, *arguments)
    await_lines(tmp_path / "r.jsonl", 1)
    running.send_signal(number)
    _, errors = running.communicate(timeout=30)
    assert running.returncode == 130, errors
    assert "stopping: finished episodes are kept" in errors
    assert "Traceback" not in errors
    kept = list(TrajectoryStore(tmp_path / "r.jsonl"))
    assert [t.reward for t in kept] == [1.0] * len(kept)
    assert len(kept) < 3
    assert leftovers(running.pid) == []
    done = cli(*arguments)
    assert done.returncode == 0, done.stderr
    assert f"{len(kept)} of 3 settled before" in done.stderr
    assert sorted(t.task.name for t in TrajectoryStore(tmp_path / "r.jsonl")) == ["a", "b", "c"]


def test_killed_in_mid_run_it_goes_on(cli: Cli, make_task: MakeTask, script: Script, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        make_task(name)
    slow = script("echo right > answer.txt; sleep 1", "submit")
    arguments = ("run", "a", "b", "c", "--model", slow, "--out", "r.jsonl")
    running = begin(tmp_path, *arguments)
    await_lines(tmp_path / "r.jsonl", 1)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate(timeout=30)
    n_kept = len(list(TrajectoryStore(tmp_path / "r.jsonl")))
    assert n_kept in (1, 2)
    done = cli(*arguments)
    assert done.returncode == 0, done.stderr
    assert f"{n_kept} of 3 settled before" in done.stderr
    assert sorted(t.task.name for t in TrajectoryStore(tmp_path / "r.jsonl")) == ["a", "b", "c"]


def leftovers(pid: int) -> list[str]:
    """Processes of the session that the command led, five seconds after it ended."""
    deadline = time.monotonic() + 5
    while True:
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == pid and fields[0] != "Z":
                found.append(stat.parent.name)
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)
