"""One command in a sandbox, from the outside: enter, become it, end it in time with all it started, report.

Runs in a process that the supervisor forked. Standard library only, and nothing is imported once it runs.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import resource
import signal
import time
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from agentgym.sandbox.namespaces import linux
from agentgym.sandbox.namespaces.held import Held


@dataclass(frozen=True, slots=True)
class Job:
    """One command with all it started."""

    held: Held
    root: int
    """Its first process."""
    cgroup: str | None
    """Its own group, where groups can be made: whatever it forks is in there."""

    def pids(self) -> set[int]:
        if self.cgroup:
            return _pids_in(self.cgroup)
        # without groups: what descends from it, and orphans that were not there before it
        inside, below = inhabitants(self.held), {self.root}
        stats = {pid: stat for pid in inside if (stat := stat_of(pid)).alive}
        while more := {pid for pid, stat in stats.items() if stat.parent in below} - below:
            below |= more
        init = min(inside, key=inner_pid, default=0)
        began = stats[self.root].started if self.root in stats else 0
        return below | {pid for pid, stat in stats.items() if stat.parent == init and stat.started >= began}


def work_on(held: Held, request: dict[str, Any], answer: int, streams: tuple[int, int, int]) -> None:
    linux.hide_from_peers()
    group, joined = None, list(held.joined)
    if held.job_parent:
        group = f"{held.job_parent}/{os.getpid()}"
        os.mkdir(group)
        joined.append(open_cgroup(group))
    started = time.monotonic()
    linux.setns(held.init, linux.CLONE_NEWPID)
    child = os.fork()
    if child == 0:
        _become(held, request, [*streams, *joined])
    for fd in (*streams, *joined):
        os.close(fd)
    watch = os.pidfd_open(child)
    timed_out = not linux.readable(watch, request["timeout_s"])
    if timed_out:
        end_job(Job(held, child, group), set())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    # when pid 1 dies the kernel kills all others first: give its end a moment to show
    if code == -signal.SIGKILL and not timed_out and linux.readable(held.init, 0.02):
        write_json(answer, {"lost": "its first process died"})
    else:
        write_json(answer, {"code": code, "timed_out": timed_out, "duration_s": time.monotonic() - started})
    if group:
        with contextlib.suppress(OSError):  # what it left in the background is still there; `stop` removes the group
            os.rmdir(group)


def _become(held: Held, request: dict[str, Any], fds: list[int]) -> None:
    """Turn into the command, inside. A failure before it runs is told on stderr with the shell's exit codes."""
    code = 126
    try:
        for cgroup in fds[3:]:
            os.write(cgroup, b"0")
        linux.setns(held.init, held.namespaces)
        replace_fds(dict(enumerate(fds[:3])))
        os.setsid()
        for limit, value in request["rlimits"]:
            resource.setrlimit(limit, (value, value))
        uid, gid, groups, home = _identity(request["user"])
        linux.drop_privileges(uid, gid, groups)
        os.umask(0o022)
        os.chdir(request["cwd"])
        _execute(request["argv"], {"HOME": home, **request["env"]})
    except ProcessLookupError:  # pid 1 has died, and this one as all others in there
        os.kill(os.getpid(), signal.SIGKILL)
    except FileNotFoundError as error:
        code = 127
        os.write(2, f"{error.strerror}: {_text(error.filename or request['argv'][0])}\n".encode())
    except (OSError, KeyError) as error:
        os.write(2, f"{error}\n".encode())
    finally:
        os._exit(code)


def _execute(argv: list[str], environment: dict[str, str]) -> NoReturn:
    """os.execvpe, at a tenth of its work."""
    folders = [""] if "/" in argv[0] else environment.get("PATH", os.defpath).split(":")
    problem: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), argv[0])
    for folder in folders:
        try:
            os.execve(os.path.join(folder, argv[0]), argv, environment)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            problem = error
    raise problem


def _text(name: str | bytes) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name


def _identity(user: str) -> tuple[int, int, list[int], str]:
    """uid, gid, groups and home of `name`, `uid` or `uid:gid`, from the sandbox's own passwd (read as text: loading
    nss modules here would run the agent's code with our rights)."""
    if user in ("", "root", "0"):
        return 0, 0, [0], "/root"
    name, _, group = user.partition(":")
    for line in _lines("/etc/passwd"):
        fields = line.split(":")
        if len(fields) == 7 and name in (fields[0], fields[2]):
            gid = int(group) if group.isdigit() else int(fields[3])
            groups = [int(g[2]) for row in _lines("/etc/group") if len(g := row.split(":")) == 4 and fields[0] in g[3]]
            return int(fields[2]), gid, [gid, *groups], fields[5]
    if name.isdigit():
        gid = int(group) if group.isdigit() else int(name)
        return int(name), gid, [gid], "/"
    raise KeyError(f"no user {user} in /etc/passwd")


def _lines(path: str) -> list[str]:
    with open(path, "rb") as file:
        return file.read().decode("utf-8", "replace").splitlines()


def end_job(job: Job, spared: set[int], since_s: float = 0.0) -> None:
    """SIGKILL what the job runs and was not there before `since_s` (uptime), and whatever that forks meanwhile, until
    nothing is left."""
    since = int(since_s * os.sysconf("SC_CLK_TCK"))
    for _ in range(500):
        # older ones first: a shell whose child is killed before it would still say so
        doomed = [pid for pid in sorted(job.pids() - spared) if (stat := stat_of(pid)).alive and stat.started >= since]
        if not doomed:
            return
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)


def inhabitants(held: Held) -> set[int]:
    """Every process of the sandbox, as numbered out here, pid 1 left out where there are control groups."""
    if held.job_parent:
        groups = [entry.path for entry in os.scandir(held.job_parent) if entry.is_dir()]
        return {pid for group in groups for pid in _pids_in(group)}
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{name}/ns/pid").st_ino == held.pid_namespace:
                    found.add(int(name))
    return found


def _pids_in(group: str) -> set[int]:
    try:
        with open(group + "/cgroup.procs", "rb") as file:
            return {int(line) for line in file}
    except OSError:
        return set()


def own_group(pid: int, held: Held) -> str | None:
    if not held.job_parent:
        return None
    groups = [entry.path for entry in os.scandir(held.job_parent) if entry.is_dir()]
    return next((group for group in groups if pid in _pids_in(group)), None)


def inner_pid(pid: int) -> int:
    """As the innermost namespace numbers it; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            return next((int(line.split()[-1]) for line in file if line.startswith(b"NSpid:")), 0)
    except OSError:
        return 0


class _Stat(NamedTuple):
    parent: int
    alive: bool
    started: int
    """Clock ticks since boot."""


def stat_of(pid: int) -> _Stat:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return _Stat(0, False, 0)
    return _Stat(int(fields[1]), fields[0] not in (b"Z", b"X"), int(fields[19]))


def replace_fds(wanted: dict[int, int]) -> None:
    """Make the descriptors be exactly `wanted` (new: old) and close every other."""
    copies = {new: fcntl.fcntl(old, fcntl.F_DUPFD_CLOEXEC, len(wanted)) for new, old in wanted.items()}
    for new, copy in copies.items():
        os.dup2(copy, new, inheritable=True)
    os.closerange(len(wanted), 1 << 16)


def write_json(fd: int, value: dict[str, Any]) -> None:
    """One line: its end is the answer's, and nobody waits for ours."""
    data = json.dumps(value).encode() + b"\n"
    with contextlib.suppress(BrokenPipeError):
        while data:
            data = data[os.write(fd, data) :]


def open_cgroup(path: str) -> int:
    """Whoever writes `0` to this descriptor joins the cgroup, its one thread with it.

    A write to cgroup.procs stops every fork of the machine and waits for it (10 ms and more under load); one's own
    thread may be moved by `tasks` without that. cgroup v2 has no such file.
    """
    try:
        return os.open(path + "/tasks", os.O_WRONLY)
    except FileNotFoundError:
        return os.open(path + "/cgroup.procs", os.O_WRONLY)
