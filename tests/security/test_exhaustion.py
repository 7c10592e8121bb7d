"""Attempts to use up the host: processes, memory, disk, output, time."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable

import pytest

from agentgym.errors import SandboxError
from agentgym.protocols import Backend, Limits, Sandbox
from tests.sandbox.host import eventually, footprint, gone, processes, unique_sleep

pytestmark = pytest.mark.security

HOP = """
import os, signal, sys, time
for number in range(1, 65):
    if number not in (9, 19, 32, 33):
        signal.signal(number, signal.SIG_IGN)
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    if os.fork():
        os._exit(0)
    os.setsid()
    with open("/app/alive", "a") as file:
        file.write(".")
"""


def test_fork_bomb_in_the_background(make_sandbox: Callable[..., Sandbox]) -> None:
    """It holds every process the sandbox may have: later commands may fail, the host and stop() may not."""
    sandbox = make_sandbox(limits=Limits(pids=64))
    number = unique_sleep()
    sandbox.exec(f"bomb() {{ sleep {number} & bomb | bomb & }}; bomb >/dev/null 2>&1", timeout_s=10)
    assert eventually(lambda: len(processes(number)) > 5)
    assert len(processes(number)) <= 64
    trace = footprint(sandbox.id, processes(number)[0])
    started = time.monotonic()
    try:
        result = sandbox.exec("echo next", timeout_s=5)
    except SandboxError:
        pass
    else:
        assert result.stdout == "next\n" or result.exit_code != 0
    assert time.monotonic() - started < 20
    sandbox.stop()
    assert gone(number)
    assert trace.vanishes(), trace.remains()


def test_process_that_hops_from_pid_to_pid(sandbox: Sandbox) -> None:
    """Each generation is gone before a walk over the tree could find it."""
    sandbox.write("/app/hop.py", HOP.encode())
    result = sandbox.exec("python3 hop.py & python3 hop.py & python3 hop.py & sleep 60", timeout_s=1.5)
    assert result.timed_out
    sizes = []
    for _ in range(2):
        time.sleep(0.4)
        sizes.append(len(sandbox.read("/app/alive")))
    assert sizes[0] == sizes[1], "it still runs"
    assert sizes[0] > 3
    assert sandbox.exec("echo next").stdout == "next\n"


def test_children_that_ignore_signals_do_not_delay_stop(sandbox: Sandbox) -> None:
    number = unique_sleep()
    child = f"trap '' TERM INT HUP QUIT; sleep {number}; sleep {number}"
    sandbox.exec(f'for i in 1 2 3 4; do setsid bash -c "{child}" & done >/dev/null 2>&1')
    assert eventually(lambda: len(processes(f"sleep\0{number}")) == 4)
    started = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - started < 5
    assert not processes(number)


def test_memory_in_many_small_processes(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(limits=Limits(memory_mb=256, pids=256))
    program = "x = bytearray(b'x') * (30 << 20); import time; time.sleep(2)"
    result = sandbox.exec(
        f'for i in $(seq 20); do python3 -S -c "{program}" & done 2>/dev/null; wait; echo end', timeout_s=60
    )
    survivors = sandbox.exec("echo next")
    assert survivors.stdout == "next\n", (result, survivors)
    assert sandbox.alive()


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm", "/app", "/run"])
def test_memory_through_files(make_sandbox: Callable[..., Sandbox], folder: str) -> None:
    """Files in memory count; filling them must not take the sandbox down with it."""
    sandbox = make_sandbox(limits=Limits(memory_mb=128, storage_mb=4096))
    free_before = shutil.disk_usage("/").free
    result = sandbox.exec(f"head -c 400M /dev/zero > {folder}/large; echo $?; wc -c < {folder}/large", timeout_s=60)
    assert free_before - shutil.disk_usage("/").free < 2 << 30
    assert sandbox.exec(f"rm -f {folder}/large; echo next").stdout == "next\n", result


def test_many_small_files(make_sandbox: Callable[..., Sandbox], backend: Backend) -> None:
    """Inodes: a million empty files take no bytes of data."""
    if any("no quota" in check.detail for check in backend.doctor()):
        pytest.skip(
            "doctor says that this engine's storage driver has no quota: files are counted by their bytes alone"
        )
    sandbox = make_sandbox(limits=Limits(storage_mb=16, memory_mb=128))
    program = """
import errno, os
os.mkdir("many")
try:
    for i in range(1_000_000):
        os.close(os.open(f"many/{i}", os.O_CREAT | os.O_WRONLY))
except OSError as error:
    print(errno.errorcode[error.errno])
"""
    result = sandbox.exec(["python3", "-c", program], timeout_s=60)
    assert result.stdout.strip() in ("ENOSPC", "EDQUOT") or result.exit_code == 137, result
    assert sandbox.exec("rm -rf many; echo next").stdout == "next\n", result


@pytest.mark.parametrize("command", ["yes", "yes >&2", "yes & yes >&2", "cat /dev/zero", "while :; do echo x; done"])
def test_endless_output(make_sandbox: Callable[..., Sandbox], command: str) -> None:
    """It costs neither memory nor disk of the host, and ends in time."""
    sandbox = make_sandbox(limits=Limits(output_bytes=1 << 16))
    free_before, used_before = shutil.disk_usage("/tmp").free, _resident_mb()
    started = time.monotonic()
    result = sandbox.exec(command, timeout_s=1)
    assert time.monotonic() - started < 10
    assert result.timed_out
    assert result.truncated
    assert len(result.stdout.encode()) <= 1 << 16
    assert len(result.stderr.encode()) <= 1 << 16
    assert _resident_mb() - used_before < 200
    assert free_before - shutil.disk_usage("/tmp").free < 1 << 30


def test_endless_output_of_a_shell(make_sandbox: Callable[..., Sandbox]) -> None:
    shell = make_sandbox(limits=Limits(output_bytes=1 << 16)).shell()
    result = shell.run("yes", timeout_s=1)
    assert (result.timed_out, result.truncated) == (True, True)
    assert len(result.stdout.encode()) <= (1 << 16) + 500, "what is kept, and what is said about a fresh shell"
    assert shell.run("echo next").stdout == "next\n"


def test_open_files(sandbox: Sandbox) -> None:
    program = """
import errno, os
try:
    while True:
        os.dup(0)
except OSError as error:
    print(errno.errorcode[error.errno])
"""
    assert sandbox.exec(["python3", "-c", program], timeout_s=30).stdout == "EMFILE\n"


def test_deep_folders_and_long_names(sandbox: Sandbox) -> None:
    """Paths longer than PATH_MAX, which no program can open by name: nothing may fail because of them."""
    made = sandbox.exec(
        "n=$(printf 'd%.0s' $(seq 200)); for i in $(seq 60); do mkdir $n && cd $n || exit 1; done; touch end"
    )
    assert made.exit_code == 0
    lengths = [len(change.path) for change in sandbox.diff()]
    assert max(lengths) > 3_500
    sandbox.stop()


def test_clock_of_the_timeout_is_the_hosts(sandbox: Sandbox) -> None:
    """Stopping every process of the sandbox, its helpers included, stops no clock."""
    started = time.monotonic()
    result = sandbox.exec("kill -STOP -1; kill -STOP 1; sleep 60", timeout_s=2)
    assert time.monotonic() - started < 15
    assert result.timed_out
    assert sandbox.exec("echo next").stdout == "next\n"


def _resident_mb() -> float:
    with open(f"/proc/{os.getpid()}/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / (1 << 20)
