"""A run that is killed anywhere goes on: what it trained on in the end is what it would have without."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
import torch

import rl.state
from agentgym.backends import make_backend
from agentgym.cli.main import call
from rl.errors import StateError
from rl.observe.jsonl import read
from rl.run_folder import RunFolder
from tests.require import unavailable
from tests.rl import even
from tests.rl.test_config import written
from tests.rl.test_loop import slots

STEPS = 8


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Real processes, which have everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.rl.test_resume"])
    return context


def config(policy: Path, **tables: Any) -> Any:
    return even.config(policy, **{"run": {"steps": STEPS}, "tasks": {"heldout": []}, **tables})


class Killer:
    """Ends its process for good when it was asked so many times."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self) -> None:
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)


def killed(folder: Path, policy: Path, where: str, times: int) -> None:
    """In a process of its own: a run, or more of one, up to there."""
    torch.set_num_threads(1)
    kill = Killer(times)

    def roll(job: Any, **more: Any) -> Any:
        if where == "episode":
            kill()
        return even.alternating(job, **more)

    written = rl.state.save_file
    if where == "state":

        def half_written(tensors: Any, path: Path) -> None:
            written(tensors, path)
            kill()

        rl.state.save_file = half_written
    if where == "full disk":
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        with pytest.raises(StateError, match="make room"):
            even.run(folder, config(policy), roll)
        os.kill(os.getpid(), signal.SIGKILL)
    even.run(folder, config(policy), roll)


def test_killed_anywhere(tmp_path: Path, policy: Path, processes: ForkServerContext) -> None:
    """Among episodes, in the middle of writing a state, with a full disk and a damaged state: nothing is lost, nothing
    is trained on twice, and the steps follow each other."""
    folder = tmp_path / "run"
    for where, times in (
        ("episode", 5),
        ("full disk", 1),
        ("state", 2),
        ("episode", 30),
    ):
        process = processes.Process(target=killed, args=(folder, policy, where, times))
        process.start()
        process.join(300)
        assert process.exitcode == -signal.SIGKILL, (where, times)
    newest = max((folder / "states").glob("[0-9]*"))
    assert int(newest.name) >= 2
    (newest / "trainer.safetensors").write_bytes(b"torn")
    told: list[str] = []
    result, _ = even.run(folder, config(policy), even.alternating, told=told.append)
    assert str(newest) in told[0]
    assert result.steps == STEPS
    assert slots(folder) == list(range(2 * STEPS))
    records = read(folder / "metrics.jsonl")
    assert [record.step for record in records if record.kind == "step"] == list(range(1, STEPS + 1))
    assert (folder / "states" / f"damaged-{newest.name}").is_dir()


def test_as_if_it_had_never_stopped(tmp_path: Path, policy: Path) -> None:
    """Stopped and resumed, where rollouts wait for the trainer: the same groups of the same tasks in the same steps."""
    settings = {"scheduler": {"order": "sync"}, "rollouts": {"parallel": 1}, "run": {"steps": 4}}
    even.run(tmp_path / "whole", config(policy, **settings), even.alternating)
    stop = threading.Event()

    def stopping(job: Any, **more: Any) -> Any:
        if (tmp_path / "parts" / "states" / "000002").exists():
            stop.set()
        return even.alternating(job, **more)

    first, _ = even.run(tmp_path / "parts", config(policy, **settings), stopping, stop=stop)
    assert first.stopped
    assert first.steps < 4
    even.run(tmp_path / "parts", config(policy, **settings), even.alternating)
    whole, parts = ((tmp_path / name / "groups.jsonl").read_text() for name in ("whole", "parts"))
    assert parts == whole


def command(file: Path, folder: Path, said: Path) -> None:
    """In a process of its own, whose stderr goes to `said`."""
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), 2)
    sys.exit(call(["train", str(file), "--out", str(folder)]))


def test_ctrl_c_saves_a_state_and_says_how_to_go_on(tmp_path: Path, policy: Path, processes: ForkServerContext) -> None:
    """In the middle of waiting for a batch that never comes: this policy earns nothing."""
    if not all(check.ok for check in make_backend("namespaces").doctor()):
        unavailable("namespaces", "no namespaces here")
    run = RunFolder(tmp_path / "run")
    file = written(tmp_path, policy, heldout={"tasks": 1}, scheduler={"concurrency": 1}, rollouts={"parallel": 2})
    process = processes.Process(target=command, args=(file, run.path, tmp_path / "said"))
    process.start()
    deadline_s = time.monotonic() + 300
    while not (run.states / "000000").exists() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    os.kill(process.pid or 0, signal.SIGINT)
    process.join(300)
    assert process.exitcode == 130
    assert f"go on with `agentgym train --resume {run.path}`" in (tmp_path / "said").read_text()
    assert [record.kind for record in read(run.metrics)] == ["start", "heldout", "end"]
    assert not run.scratch.exists()
