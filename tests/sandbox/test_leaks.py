"""Nothing is left behind, however the owner ends: no process, mount, control group, container, layer or file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentgym.errors import AgentGymError
from agentgym.protocols import Backend, Image, Limits, Sandbox
from tests.sandbox.host import Footprint, footprint, gone, init_of, processes, unique_sleep

ROOT = Path(__file__).parent.parent.parent


class Owner:
    """A program of its own that holds sandboxes, and what these occupy on the host."""

    def __init__(self, backend: Backend, how: str, context: Path) -> None:
        self.marker = unique_sleep()
        (context / "Dockerfile").write_text(f"FROM python:3.11-bookworm\nRUN touch /half; sleep {self.marker}\n")
        self.program = subprocess.Popen(
            [sys.executable, "-m", "tests.sandbox.owner", backend.name, how, self.marker, str(context)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.program.stdout
        line = self.program.stdout.readline()
        assert line, self.program.stderr and self.program.stderr.read()
        self.sandboxes: list[str] = json.loads(line)
        self.traces = self._traces()

    def _traces(self) -> list[Footprint]:
        """One a pid namespace; the ids are matched to none in particular, as all of them must vanish."""
        inits = {init_of(pid): pid for pid in processes(f"sleep\0{self.marker}")}
        return [footprint(sandbox, pid) for pid in inits.values() for sandbox in self.sandboxes]

    def wait(self) -> str:
        """Its stderr, once it has ended: where it was not killed, it ends by itself at the next line."""
        _, errors = self.program.communicate("\n", timeout=60)
        return errors

    def remains(self) -> list[str]:
        return sorted({line for trace in self.traces for line in trace.remains()})

    def vanishes(self, timeout_s: float = 10.0) -> bool:
        return all(trace.vanishes(timeout_s) for trace in self.traces)


@pytest.fixture
def owner(backend: Backend, image: Image, tmp_path: Path) -> Iterator[Callable[..., Owner]]:
    """owner(how): started, and killed after the test if it still runs."""
    made: list[Owner] = []

    def start(how: str) -> Owner:
        made.append(Owner(backend, how, tmp_path))
        return made[-1]

    yield start
    for each in made:
        each.program.kill()
        each.program.communicate()
    if made:
        backend.prune()


def test_footprint_is_not_empty(owner: Callable[..., Owner]) -> None:
    """Otherwise the tests below would hold for nothing."""
    owned = owner("wait")
    assert len(owned.sandboxes) >= 2
    remains = " ".join(owned.remains())
    assert "process" in remains
    assert "cgroup" in remains


def test_exit_without_stop(owner: Callable[..., Owner]) -> None:
    owned = owner("exit")
    assert owned.wait() == ""
    assert owned.program.returncode == 0
    assert owned.vanishes(), owned.remains()


def test_exception(owner: Callable[..., Owner]) -> None:
    owned = owner("raise")
    assert "RuntimeError: as programs do" in owned.wait()
    assert owned.vanishes(), owned.remains()


def test_sigint(owner: Callable[..., Owner]) -> None:
    owned = owner("wait")
    owned.program.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in owned.wait()
    assert owned.vanishes(), owned.remains()


def test_ctrl_c_reaches_the_whole_process_group(owner: Callable[..., Owner]) -> None:
    """As a terminal sends it: helpers of the backend get it too, twice."""
    owned = owner("wait")
    os.killpg(owned.program.pid, signal.SIGINT)
    os.killpg(owned.program.pid, signal.SIGINT)
    owned.wait()
    assert owned.vanishes(), owned.remains()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_killed(owner: Callable[..., Owner], backend: Backend, number: signal.Signals) -> None:
    """Nobody runs any cleanup: the kernel ends namespaces with their owner; docker's containers wait for prune."""
    owned = owner("wait")
    owned.program.send_signal(number)
    owned.wait()
    if backend.name == "docker":
        removed = " ".join(backend.prune())
        assert all(sandbox in removed for sandbox in owned.sandboxes) or owned.vanishes()
    assert gone(owned.marker)
    assert owned.vanishes(), owned.remains()


def test_prune_removes_what_a_killed_owner_left(owner: Callable[..., Owner], backend: Backend) -> None:
    owned = owner("wait")
    owned.program.kill()
    owned.wait()
    backend.prune()
    assert owned.vanishes(), owned.remains()
    assert not [line for line in backend.prune() if any(sandbox in line for sandbox in owned.sandboxes)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_killed_during_a_build(owner: Callable[..., Owner], backend: Backend, number: signal.Signals) -> None:
    owned = owner("build")
    owned.program.send_signal(number)
    owned.wait()
    backend.prune()
    assert gone(owned.marker)
    assert owned.vanishes(), owned.remains()


def test_a_forked_child_does_not_stop_its_parents_sandboxes(owner: Callable[..., Owner]) -> None:
    owned = owner("child")
    assert owned.program.stdout
    assert json.loads(owned.program.stdout.readline()) == "unharmed\n"
    owned.wait()
    assert owned.vanishes(), owned.remains()


def test_failed_start_leaves_nothing(create_sandbox: Callable[..., Sandbox]) -> None:
    """An image that another backend made, or that is no longer there."""
    used = []
    for _ in range(5):
        with pytest.raises(AgentGymError):
            create_sandbox(image=Image("other", "no-such-ref")).start()
        used.append(len(list(Path("/proc/self/fd").iterdir())))
    assert used[-1] <= used[0] + 2, used


def test_thirty_cycles(create_sandbox: Callable[..., Sandbox]) -> None:
    """Start, work, stop: neither descriptors nor threads nor children pile up in this process."""

    def cycle() -> None:
        sandbox = create_sandbox(limits=Limits(memory_mb=256))
        sandbox.start()
        sandbox.exec("echo x > file; sleep 100 >/dev/null 2>&1 &")
        shell = sandbox.shell()
        assert shell.run("cat file").stdout == "x\n"
        sandbox.stop()

    def used() -> tuple[int, int, int]:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), len(children)

    for _ in range(3):
        cycle()
    before = used()
    for _ in range(27):
        cycle()
    after = used()
    assert all(now <= then + 2 for now, then in zip(after, before, strict=True)), (before, after)


def test_stopped_and_forked_sandboxes_leave_nothing(sandbox: Sandbox, forks: Callable[..., Sandbox]) -> None:
    marker = unique_sleep()
    family = [sandbox]
    for _ in range(3):
        family[-1].exec("echo x >> file")
        family.append(forks(family[-1]))
    for each in family:
        each.exec(f"sleep {marker} >/dev/null 2>&1 &")
    pids = {init_of(pid): pid for pid in processes(f"sleep\0{marker}")}
    traces = [footprint(each.id, pid) for pid in pids.values() for each in family]
    for each in family:
        each.stop()
    assert gone(marker)
    assert all(trace.vanishes() for trace in traces), [trace.remains() for trace in traces]
