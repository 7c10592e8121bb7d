"""Limits: each held against a program that tries to exceed it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentgym.protocols import Limits, Sandbox
from tests.sandbox.host import eventually, gone, unique_sleep

ALLOCATE = """
import sys
held = []
for _ in range(int(sys.argv[1])):
    held.append(bytearray(b"x") * (1 << 20))
print("held", len(held))
"""

SPIN = """
import os, time
end = time.monotonic() + 2
children = []
for _ in range(2):
    if not (pid := os.fork()):
        while time.monotonic() < end:
            pass
        os._exit(0)
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
times = os.times()
print(times.children_user + times.children_system)
"""

FORK = """
import errno, os, signal, time
children = []
try:
    while len(children) < 500:
        if not (pid := os.fork()):
            time.sleep(60)
            os._exit(0)
        children.append(pid)
except OSError as error:
    print(errno.errorcode[error.errno], len(children), flush=True)
for pid in children:
    os.kill(pid, signal.SIGKILL)
"""

THREADS = """
import threading, time
count = 0
try:
    while count < 500:
        threading.Thread(target=time.sleep, args=(3,), daemon=True).start()
        count += 1
except RuntimeError as error:
    print(error, count, flush=True)
"""


def test_memory(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(limits=Limits(memory_mb=256))
    assert sandbox.exec(["python3", "-c", ALLOCATE, "100"]).stdout == "held 100\n"
    for _ in range(3):
        result = sandbox.exec(["python3", "-c", ALLOCATE, "512"])
        assert "held" not in result.stdout
        assert result.exit_code == 137 or "MemoryError" in result.stderr, result
        assert sandbox.alive()
        assert sandbox.exec("echo next").stdout == "next\n"


def test_memory_of_all_processes_together(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(limits=Limits(memory_mb=256))
    sandbox.write("/app/hold.py", (ALLOCATE + "import time; time.sleep(2)\n").encode())
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda _: sandbox.exec("python3 hold.py 100"), range(4)))
    assert any(result.exit_code != 0 for result in results), "400 MB fitted into 256"
    assert sandbox.exec("echo next").stdout == "next\n"


def test_shell_survives_a_command_that_exceeds_memory(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(limits=Limits(memory_mb=256))
    sandbox.write("/app/allocate.py", ALLOCATE.encode())
    shell = sandbox.shell()
    assert "held" not in shell.run("python3 allocate.py 512").stdout
    assert shell.run("echo next").stdout == "next\n"


def test_cpus(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(limits=Limits(cpus=0.5))
    used_s = float(sandbox.exec(["python3", "-c", SPIN]).stdout)
    assert used_s <= 1.3, "two processes may use 1 s of CPU in 2 s"


def test_pids(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(limits=Limits(pids=64))
    for program in (FORK, THREADS):
        result = sandbox.exec(["python3", "-c", program], timeout_s=30)
        *message, count = result.stdout.split()
        assert " ".join(message) in ("EAGAIN", "can't start new thread"), result
        assert 16 <= int(count) <= 64
        assert sandbox.exec("echo next").stdout == "next\n"


def test_fork_bomb_that_times_out(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(limits=Limits(pids=64))
    number = unique_sleep()
    bomb = f"bomb() {{ sleep {number} & bomb & bomb; }}; bomb; while :; do bomb; sleep 0.01; done"
    started = time.monotonic()
    assert sandbox.exec(bomb, timeout_s=2).timed_out
    assert time.monotonic() - started < 15
    assert gone(number)
    assert sandbox.exec("echo next").stdout == "next\n"


@pytest.mark.parametrize("folder", ["/app", "/tmp", "/var/tmp", "/root", "/usr/lib"])
def test_storage(make_sandbox: Callable[..., Sandbox], folder: str) -> None:
    sandbox = make_sandbox(limits=Limits(storage_mb=64))
    small = sandbox.exec(f"head -c 16M /dev/zero > {folder}/small && stat -c %s {folder}/small")
    assert small.stdout == f"{16 << 20}\n"
    large = sandbox.exec(f"head -c 128M /dev/urandom > {folder}/large; wc -c < {folder}/large; echo end")
    if "storage limit of 64 MB" not in large.stderr:
        refusals = ("No space left", "quota exceeded", "File size limit exceeded")
        assert any(words in large.stderr for words in refusals), large
        assert int(large.stdout.split()[0]) <= 64 << 20
        assert large.stdout.endswith("end\n")
    free = f"rm -f {folder}/large && echo fits > {folder}/after && cat {folder}/after"
    assert eventually(lambda: sandbox.exec(free).stdout == "fits\n"), "a watch may still be acting on what it measured"


def test_storage_counts_everything_written(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(limits=Limits(storage_mb=64))
    write = "head -c 10M /dev/zero > $f/part$i || { echo full; break 2; }; sleep 0.1"
    result = sandbox.exec(f"for i in $(seq 20); do for f in /app /tmp /var/tmp /root /opt; do {write}; done; done")
    assert "full" in result.stdout or "storage limit of 64 MB" in result.stderr, "1000 MB fitted into 64"
    free = "rm -f /app/part* /tmp/part* /var/tmp/part* /root/part* /opt/part*; echo next"
    assert eventually(lambda: sandbox.exec(free).stdout == "next\n")
    with pytest.raises(OSError, match="/app/more"):
        sandbox.write("/app/more", b"x" * (80 << 20))
    assert sandbox.exec("rm -f /app/more; echo next").stdout == "next\n"


def test_device_shm_is_limited(make_sandbox: Callable[..., Sandbox]) -> None:
    """Memory by another name."""
    sandbox = make_sandbox(limits=Limits(memory_mb=128, storage_mb=64))
    result = sandbox.exec("head -c 300M /dev/zero > /dev/shm/large && echo fitted")
    assert "fitted" not in result.stdout
    sandbox.exec("rm -f /dev/shm/large")
    assert sandbox.exec("echo next").stdout == "next\n"


def test_limits_are_each_sandboxs_own(make_sandbox: Callable[..., Sandbox]) -> None:
    small, large = make_sandbox(limits=Limits(pids=40)), make_sandbox(limits=Limits(pids=300))
    with ThreadPoolExecutor() as pool:
        counts = pool.map(
            lambda sandbox: sandbox.exec(["python3", "-c", FORK], timeout_s=30).stdout.split(), (small, large)
        )
        (_, few), (_, many) = counts
    assert int(few) <= 40 < 200 < int(many) <= 300
