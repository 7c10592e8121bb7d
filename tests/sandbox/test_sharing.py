"""Sandboxes that share what they have been told: run once, started where they part."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agentgym.errors import SandboxLost
from agentgym.protocols import Backend, Image, Sandbox, SandboxSpec
from agentgym.sandbox.sharing import SharingBackend

STAMP = "date +%s%N | tee stamp"
"""Gives something else each time it is run."""


class Counting:
    """A backend that remembers which of its sandboxes were started; everything else is the one below."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.name = backend.name
        self.started: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._backend, name)

    def create(self, spec: SandboxSpec) -> Sandbox:
        sandbox = self._backend.create(spec)
        start = sandbox.start

        def counted() -> None:
            self.started.append(sandbox.id)
            start()

        sandbox.start = counted  # type: ignore[method-assign]
        return sandbox


@pytest.fixture
def below(backend: Backend) -> Counting:
    return Counting(backend)


@pytest.fixture
def create(below: Counting, image: Image) -> Iterator[Callable[..., Sandbox]]:
    """create(**SandboxSpec overrides): a started sandbox of one shared backend, stopped after the test."""
    shared = SharingBackend(below)  # type: ignore[arg-type]  # __getattr__ has the rest
    made: list[Sandbox] = []

    def create(**overrides: object) -> Sandbox:
        made.append(shared.create(SandboxSpec(**{"image": image, "ttl_s": 600.0, **overrides})))  # type: ignore[arg-type]
        made[-1].start()
        return made[-1]

    yield create
    for sandbox in made:
        sandbox.stop()


def test_the_same_commands_are_run_once(create: Callable[..., Sandbox], below: Counting) -> None:
    first, second = create(), create()
    told = [[sandbox.exec(STAMP).stdout, sandbox.read("/app/stamp"), sandbox.diff()] for sandbox in (first, second)]
    assert told[0] == told[1]
    assert below.started == [first.id]
    assert second.alive()


def test_it_starts_where_they_part_and_has_had_what_came_before(
    create: Callable[..., Sandbox], below: Counting, tmp_path: Path
) -> None:
    (tmp_path / "brought").write_text("in\n")
    sandboxes = [create(), create(), create()]
    for sandbox in sandboxes:
        sandbox.upload(tmp_path, "/app")
        sandbox.write("/app/a", b"a\n")
        assert sandbox.exec("cat a >> brought", stdin=b"").exit_code == 0
        with pytest.raises(FileNotFoundError):
            sandbox.read("/app/none")
    assert below.started == [sandboxes[0].id]
    for word, sandbox in zip(("one", "two", "two"), sandboxes, strict=True):
        sandbox.exec(["tee", "-a", "brought"], stdin=word.encode())
        assert sandbox.exec("cat brought").stdout == f"in\na\n{word}"
    assert below.started == [sandboxes[0].id, sandboxes[1].id]


def test_a_look_is_no_command(create: Callable[..., Sandbox], below: Counting) -> None:
    first, second = create(), create()
    assert first.read("/etc/hostname") == second.read("/etc/hostname")
    first.exec("echo x > x")
    second.exec("echo x > x")
    assert below.started == [first.id]


@pytest.mark.parametrize(
    "overrides", [{"env": {"A": "1"}}, {"labels": {"agentgym.task": "another"}}], ids=["environment", "task"]
)
def test_other_beginnings_share_nothing(
    create: Callable[..., Sandbox], below: Counting, overrides: dict[str, object]
) -> None:
    first, second, third = create(), create(**overrides), create(labels={"agentgym.episode": "another"})
    assert first.exec(STAMP).stdout != second.exec(STAMP).stdout
    assert first.exec("cat stamp").stdout == third.exec(STAMP).stdout
    assert below.started == [first.id, second.id]


@pytest.mark.parametrize("options", [{"user": "nobody"}, {"cwd": "/tmp"}, {"env": {"A": "1"}}, {"stdin": b"x"}])
def test_how_a_command_is_run_tells_it_apart(create: Callable[..., Sandbox], options: dict[str, Any]) -> None:
    told = [create().exec("id -un; pwd; echo $A; cat", **each) for each in ({}, options, {"timeout_s": 9.0})]
    assert told[0] == told[2] != told[1]


def test_whoever_comes_second_waits_for_the_first(create: Callable[..., Sandbox], below: Counting) -> None:
    sandboxes = [create() for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        said = list(threads.map(lambda sandbox: sandbox.exec(f"sleep 0.3; {STAMP}").stdout, sandboxes))
    assert len(set(said)) == 1
    assert len(below.started) == 1


def test_a_shell_is_shared_command_by_command(create: Callable[..., Sandbox], below: Counting) -> None:
    shells = [create().shell() for _ in range(3)]
    for shell in shells:
        assert shell.run("cd /tmp; x=5; date +%N > stamp; pwd").stdout == "/tmp\n"
    assert len(below.started) == 1
    assert [shell.run(f"echo $x in $PWD {n}").stdout for n, shell in enumerate(shells)] == [
        f"5 in /tmp {n}\n" for n in range(3)
    ]
    assert len(below.started) == 3
    for shell in shells:
        shell.close()


def test_what_the_clock_ended_is_not_shared(create: Callable[..., Sandbox], below: Counting) -> None:
    first, second = create(), create()
    assert first.exec("sleep 0.5; echo done", timeout_s=0.1).timed_out
    assert second.exec("sleep 0.5; echo done", timeout_s=10.0).stdout == "done\n"
    first.exec("echo x > x")
    assert first.exec("cat x").stdout == "x\n"
    assert below.started == [first.id, second.id]


def test_what_never_ends_is_waited_for_once(create: Callable[..., Sandbox]) -> None:
    """Then all find out at once."""
    sandboxes = [create() for _ in range(4)]
    began = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        ended = list(threads.map(lambda sandbox: sandbox.exec("sleep 60", timeout_s=2.0), sandboxes))
    assert all(result.timed_out for result in ended)
    assert time.monotonic() - began < 4 * 2.0


def test_a_loss_is_the_losers_own(create: Callable[..., Sandbox], below: Counting) -> None:
    first, second = create(), create()
    with ThreadPoolExecutor(2) as threads:
        lost = threads.submit(first.exec, "sleep 1; echo done")
        while not below.started:
            pass
        waiting = threads.submit(second.exec, "sleep 1; echo done")
        first.stop()
        with pytest.raises(SandboxLost):
            lost.result()
        assert waiting.result().stdout == "done\n"
    assert not first.alive()
    assert below.started == [first.id, second.id]


def test_stop_ends_a_wait(create: Callable[..., Sandbox], below: Counting) -> None:
    first, second = create(), create()
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(first.exec, "sleep 1; echo done")
        while not below.started:
            pass
        waiting = threads.submit(second.exec, "sleep 1; echo done")
        threading.Event().wait(0.1)
        second.stop()
        with pytest.raises(SandboxLost, match="not running"):
            waiting.result(timeout=0.5)
        assert running.result().stdout == "done\n"
    with pytest.raises(SandboxLost, match="not running"):
        second.exec("true")


def test_forks_snapshots_and_downloads_are_of_all_commands(
    create: Callable[..., Sandbox], below: Counting, tmp_path: Path
) -> None:
    first, second = create(), create()
    for sandbox in (first, second):
        sandbox.exec("mkdir d; echo x > d/x")
    second.download("/app/d", tmp_path / "d")
    assert (tmp_path / "d/x").read_text() == "x\n"
    assert below.started == [first.id, second.id]
    twin = second.fork()
    assert twin.exec("cat d/x").stdout == "x\n"
    twin.stop()
    assert create(image=second.snapshot()).exec("cat d/x").stdout == "x\n"


def test_kept_answers_are_bounded(below: Counting, image: Image) -> None:
    """What was used last stays."""
    shared = SharingBackend(below, kept_bytes=100_000)  # type: ignore[arg-type]
    for task in ("a", "b", "c", "b", "a"):
        sandbox = shared.create(SandboxSpec(image=image, labels={"agentgym.task": task}))
        sandbox.start()
        assert len(sandbox.exec("head -c 60000 /dev/zero").stdout_bytes) == 60000
        sandbox.stop()
    assert len(below.started) == 4
