"""Attempts to see, signal or trace processes of the host, and the sandbox's own init."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentgym.errors import SandboxLost
from agentgym.protocols import Sandbox
from tests.sandbox.host import unique_sleep
from tests.security.attempt import attempt

pytestmark = pytest.mark.security


@pytest.fixture
def canary() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the host that must outlive the test."""
    with subprocess.Popen(["sleep", unique_sleep()]) as process:
        yield process
        assert process.poll() is None, "the sandbox ended a process of the host"
        process.kill()


def test_host_processes_are_not_visible(sandbox: Sandbox, canary: subprocess.Popen[bytes]) -> None:
    number = str(canary.args[1])  # type: ignore[index]
    commands = sandbox.exec("cat /proc/[0-9]*/cmdline | tr '\\0' ' '").stdout
    assert number not in commands
    assert "pytest" not in commands
    outcome = attempt(sandbox, "print(*[p for p in os.listdir('/proc') if p.isdigit()])")
    assert max(map(int, outcome.split()[:-1])) < 10_000, "pids count from 1 in a namespace of its own"


def test_host_processes_cannot_be_signalled(sandbox: Sandbox, canary: subprocess.Popen[bytes]) -> None:
    for pid in (canary.pid, os.getpid(), os.getppid()):
        assert attempt(sandbox, f"os.kill({pid}, signal.SIGKILL)") == "ESRCH"
        assert attempt(sandbox, f"os.pidfd_open({pid})") == "ESRCH"
        assert attempt(sandbox, f"call('ptrace', 16, {pid}, 0, 0)") in ("ESRCH", "EPERM")


def test_killing_everything_reaches_no_host_process(sandbox: Sandbox, canary: subprocess.Popen[bytes]) -> None:
    sandbox.exec("kill -KILL -1; pkill -KILL .; for p in $(seq 2 2000); do kill -KILL $p; done 2>/dev/null")
    assert sandbox.exec("echo next").stdout == "next\n"


def test_process_group_and_session_are_not_the_hosts(sandbox: Sandbox) -> None:
    """kill(0) and a terminal's signals stay inside."""
    assert sandbox.exec("kill -KILL 0").exit_code == 137
    outcome = attempt(sandbox, "print(os.getpgid(0) != 0, os.getsid(0) != 0, os.getppid() < 10000)")
    assert outcome == "True True True\nALLOWED"


def test_parent_is_never_outside(sandbox: Sandbox) -> None:
    """Its parent's memory, descriptors and environment are the sandbox's own init's, or nobody's."""
    for path in ("environ", "mem", "fd", "cwd", "exe", "maps"):
        outcome = attempt(sandbox, f"p = f'/proc/{{os.getppid()}}/{path}'; print(os.path.lexists(p), os.getppid())")
        assert outcome.splitlines()[-1] == "ALLOWED"
    links = "for fd in /proc/[0-9]*/fd/*; do readlink $fd; done 2>/dev/null"
    harmless = "grep -vE '^(pipe|anon_inode|socket):|^/dev/(null|pts)|^/proc'"
    assert sandbox.exec(f"{links} | {harmless}").stdout == "", "a descriptor of some process leads to a file"


def test_whoever_can_be_taken_over_holds_no_more(sandbox: Sandbox) -> None:
    """Memory of every process there is, the init and the drivers of other commands included: where it can be written or
    traced, that process must be under the same filter and with no more capabilities."""
    shell = sandbox.shell()
    shell.run("true")
    body = """
        def held(pid):
            lines = (line.split(":", 1) for line in open(f"/proc/{pid}/status"))
            status = {key: value.strip() for key, value in lines}
            return status["Seccomp"], status["NoNewPrivs"], int(status["CapPrm"], 16), status["Name"]

        ours = held("self")
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            if pid == os.getpid():
                continue
            ways = []
            try:
                os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR))
                ways.append("mem")
            except OSError as error:
                assert error.errno in (errno.EACCES, errno.EPERM, errno.ENOENT), error
            try:
                call("ptrace", 0x4206, pid, 0, 0)
                ways.append("ptrace")
            except OSError as error:
                assert error.errno in (errno.EPERM, errno.ESRCH), error
            seccomp, no_new, capabilities, name = held(pid)
            if ways and ((seccomp, no_new) != ours[:2] or capabilities & ~ours[2]):
                print(pid, name, *ways, "seccomp", seccomp, "no_new_privs", no_new, "capabilities", hex(capabilities))
    """
    assert attempt(sandbox, body) == "ALLOWED", "a process that holds more can be taken over"
    with ThreadPoolExecutor() as pool:
        beside = pool.submit(sandbox.exec, "sleep 1; exit 7")
        assert attempt(sandbox, body) == "ALLOWED"
        assert beside.result().exit_code == 7
    assert shell.run("echo next").stdout == "next\n"


def test_init_does_not_stop_for_signals(sandbox: Sandbox) -> None:
    sandbox.exec("for s in $(seq 1 64); do kill -$s 1; done 2>/dev/null")
    assert sandbox.exec("echo next").stdout == "next\n"


def test_driver_of_a_shell_cannot_be_taken_over(sandbox: Sandbox) -> None:
    """Programs started beside a live shell reach neither its memory nor what it reports its results through."""
    shell = sandbox.shell()
    pid = shell.run("echo $$").stdout.strip()
    junk = f"for fd in /proc/{pid}/fd/*; do [ ${{fd##*/}} -gt 2 ] && echo '0 0 0 junk' > $fd; done 2>/dev/null; true"
    try:
        sandbox.exec(junk, timeout_s=5)
        results = [shell.run("echo honest; (exit 7)", timeout_s=5) for _ in range(3)]
    except SandboxLost:
        return
    last = results[-1]
    assert (last.exit_code, last.stdout) == (7, "honest\n")


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_capabilities(make_sandbox: Callable[..., Sandbox], user: str) -> None:
    """None that reaches past files and users of the sandbox."""
    sandbox = make_sandbox()
    names = {2: "DAC_READ_SEARCH", 12: "NET_ADMIN", 14: "IPC_LOCK", 15: "IPC_OWNER", 16: "SYS_MODULE", 17: "SYS_RAWIO"}
    names |= {19: "SYS_PTRACE", 20: "SYS_PACCT", 21: "SYS_ADMIN", 22: "SYS_BOOT", 23: "SYS_NICE", 24: "SYS_RESOURCE"}
    names |= {25: "SYS_TIME", 32: "MAC_OVERRIDE", 33: "MAC_ADMIN", 34: "SYSLOG", 35: "WAKE_ALARM", 38: "PERFMON"}
    names |= {39: "BPF", 40: "CHECKPOINT_RESTORE"}
    for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        held = int(sandbox.exec(f"grep {key} /proc/self/status | cut -f2", user=user).stdout, 16)
        assert not [name for bit, name in names.items() if held >> bit & 1], key
