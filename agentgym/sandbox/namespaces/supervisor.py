"""The one process that holds every namespaces sandbox of an agentgym process. Knows no image, task or Python API.

    agentgym process ──socket──▶ supervisor (own user and mount namespace)
        keepalive pipe ─────────────▶ ├── bwrap ── pid 1      sandbox A: its own pid, net, ipc, uts and mount namespace
        stdin/stdout/stderr pipes ──▶ ├── worker ── command   the command alone is in A
                                      └── bwrap ── pid 1      sandbox B

Why a process of its own: mounts made here are seen by nobody else and vanish with it, and everything below it dies when
the socket closes, however the agentgym process ended. One request is one datagram of JSON with file descriptors; the
answer is JSON on the pipe that came as the first descriptor. Whatever may take long runs in a forked worker.

Standard library only, little of it (every command costs two forks of this process, and `subprocess` alone more than
doubles the price of one), and nothing is imported after start-up: until it turns into the command, a child of ours runs
inside the sandbox's mount namespace, where a module loaded from disk would be the agent's.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import os
import select
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable
from typing import Any

from agentgym.sandbox.namespaces import linux
from agentgym.sandbox.namespaces.binds import add_points, bind_all, bind_resolver
from agentgym.sandbox.namespaces.held import Held
from agentgym.sandbox.namespaces.overlay import compare, copy_trees, run
from agentgym.sandbox.namespaces.worker import (
    Job,
    end_job,
    inhabitants,
    inner_pid,
    open_cgroup,
    own_group,
    stat_of,
    work_on,
    write_json,
)

_ANSWER = 0
_MAX_DATAGRAM = 1 << 20
_JOINED = linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS


_READ_ONLY = ("bus", "fs", "irq", "sys", "sysrq-trigger")
_MASKED = ("acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list")


def _proc_options() -> list[str]:
    """What Docker makes read-only or hides in /proc: root of the machine owns it, and may be who runs in here."""
    options = []
    for name in _READ_ONLY:
        if os.path.exists(path := f"/proc/{name}"):
            options += ["--ro-bind", path, path]
    for name in _MASKED:
        path = f"/proc/{name}"
        if os.path.isdir(path):
            options += ["--tmpfs", path, "--remount-ro", path]
        elif os.path.exists(path):
            options += ["--ro-bind", "/dev/null", path]
    return options


_PROC = _proc_options()

_INIT = ("/usr/bin/env", "--ignore-signal=CHLD", "/bin/cat")
"""pid 1: echoes what it is told, lives until its stdin is closed, leaves no zombies. It has no signal handlers, so the
kernel spares it every signal from inside."""

_BWRAP = [
    *("--dev", "/dev", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", "sandbox", "--die-with-parent"),
    *("--new-session", "--chdir", "/", "--clearenv", "--as-pid-1", "--cap-drop", "ALL"),
    *(word for name in linux.CAPABILITIES for word in ("--cap-add", name)),
]


def _bwrap_argv(request: dict[str, Any], root: str, status: int, rules: int) -> list[str]:
    argv = ["bwrap", "--bind", root, "/", "--proc", "/proc", *_PROC, *_BWRAP]
    argv += ["--size", str(request["shm_mb"] << 20), "--tmpfs", "/dev/shm"]
    argv += ["--unshare-net"] if request["network"] == "none" else []
    argv += ["--seccomp", str(rules)] if linux.SECCOMP_FILTER else []
    return [*argv, "--json-status-fd", str(status), "--", *_INIT]


class Supervisor:
    def __init__(self, control: socket.socket, scratch: str) -> None:
        self.control = control
        self.scratch = scratch
        self.held: dict[str, Held] = {}
        self.snapshots = os.path.join(scratch, "snapshots")

    def serve(self) -> None:
        """Until the other end of the socket is gone."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        os.set_blocking(wake_read, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        os.makedirs(self.snapshots)
        poll = select.poll()
        for fd in (self.control.fileno(), wake_read):
            poll.register(fd, select.POLLIN)
        while True:
            now = time.monotonic()
            due = min((held.ends_at for held in self.held.values()), default=now + 3600.0)
            ready = {fd for fd, _ in poll.poll(1000 * min(max(0.0, due - now), 3600.0))}
            if wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_read, 4096)
                self._reap()
            for held in self.held.values():
                if held.ends_at <= time.monotonic():
                    _end(held.bwrap)
                    held.ends_at = float("inf")
            if self.control.fileno() in ready:
                data, fds, _, _ = socket.recv_fds(self.control, _MAX_DATAGRAM, 8)
                for fd in fds:
                    os.set_inheritable(fd, False)
                if not data:
                    return
                try:
                    self._answer(json.loads(data), fds)
                finally:
                    for fd in fds:
                        os.close(fd)

    def shut_down(self) -> None:
        for identity in list(self.held):
            self.stop({"id": identity})

    def _answer(self, request: dict[str, Any], fds: list[int]) -> None:
        operation: Callable[..., Any] = getattr(self, request.pop("op"))
        try:
            result = operation(request, *fds)
        except KeyError:
            result = {"lost": "it was stopped"}
        except OSError as error:
            result = {"error": str(error)}
        if result is not None:  # None: a worker answers
            write_json(fds[_ANSWER], result)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def _in_worker(self, answer: int, work: Callable[[], dict[str, Any]]) -> None:
        if os.fork():
            return
        try:
            signal.set_wakeup_fd(-1)
            try:
                result = work()
            except OSError as error:
                result = {"error": str(error)}
            write_json(answer, result)
        finally:
            os._exit(0)

    # ------------------------------------------------------------------------------------------ life of a sandbox

    def start(self, request: dict[str, Any], _answer: int, keepalive: int, echo: int, status: int) -> dict[str, Any]:
        """Mount the layers and start bwrap with `_INIT` inside: `keepalive` is its stdin, `echo` its stdout.

        mounts: [{target, lowers: [upmost first]}]; disk: a folder for the upper layers instead of a tmpfs;
        binds: [[source, target]].
        """
        identity, root = request["id"], os.path.join(self.scratch, request["id"])
        merged, writable = os.path.join(root, "merged"), os.path.join(root, "rw")
        for folder in (merged, writable):
            os.makedirs(folder, exist_ok=True)
        rules = os.memfd_create("seccomp")
        try:
            if not request["disk"] and not request["cloned"]:
                self._mount_writable(writable, request["storage_mb"])
            places = [os.path.join(request["disk"] or writable, str(i)) for i in range(len(request["mounts"]))]
            add_points(request["mounts"], request["binds"], [place + "/points" for place in places])
            for at, layer in zip(places, request["mounts"], strict=True):
                upper, work = at + "/u", at + "/w"
                for folder in (upper, work):
                    os.makedirs(folder, exist_ok=True)
                options = f"lowerdir={':'.join(layer['lowers'])},upperdir={upper},workdir={work},userxattr"
                linux.mount("overlay", merged + layer["target"].rstrip("/"), "overlay", 0, options)
            bind_all(request["binds"], merged)
            if request["network"] == "public":
                bind_resolver(merged)
            os.write(rules, linux.SECCOMP_FILTER)
            os.lseek(rules, 0, os.SEEK_SET)
            bwrap = os.posix_spawn(
                request["bwrap"],
                _bwrap_argv(request, merged, status, rules),
                {"PATH": "/usr/bin:/bin"},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, keepalive, 0),
                    (os.POSIX_SPAWN_DUP2, echo, 1),
                    (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, status, status),  # these two outlive the exec
                    (os.POSIX_SPAWN_DUP2, rules, rules),
                ],
            )
        except OSError:
            self._clear(root)
            raise
        finally:
            os.close(rules)
        joined = _JOINED | (linux.CLONE_NEWNET if request["network"] == "none" else 0)
        self.held[identity] = Held(
            os.pidfd_open(bwrap),
            root,
            request["mounts"],
            request["cgroups"],
            request["job_parent"],
            [],
            joined,
            ends_at=time.monotonic() + request["ttl_s"],
        )
        return {}

    def ready(self, request: dict[str, Any], _answer: int) -> dict[str, Any]:
        """The sandbox echoed: `init` is its pid 1 as seen from here."""
        held = self.held[request["id"]]
        held.init = os.pidfd_open(request["init"])
        held.joined = [open_cgroup(path) for path in held.cgroups if path != held.job_parent]
        # bwrap has its own copy: every mount left here would be copied for the next sandbox and read by its bwrap
        linux.unmount(os.path.join(held.root, "merged"))
        held.pid_namespace = os.stat(f"/proc/{request['init']}/ns/pid").st_ino
        return {}

    def stop(self, request: dict[str, Any], _answer: int = -1) -> dict[str, Any]:
        held = self.held.pop(request["id"], None)
        if held is None:
            return {}
        _end(held.bwrap if held.init < 0 else held.init)  # with pid 1 its namespace goes, and then bwrap by itself
        while not linux.readable(held.bwrap, 0):
            os.waitpid(-1, 0)
        for fd in {held.init, held.bwrap, *held.joined} - {-1}:
            os.close(fd)
        self._clear(held.root)
        for path in held.cgroups:
            _remove_cgroup(path)
        return {}

    def _clear(self, root: str) -> None:
        for path in (root + "/merged", root + "/rw"):
            with contextlib.suppress(OSError):
                linux.unmount(path)
            with contextlib.suppress(OSError):
                os.rmdir(path)
        with contextlib.suppress(OSError):
            os.rmdir(root)

    # ------------------------------------------------------------------------------------------------- commands

    def exec(self, request: dict[str, Any], answer: int, stdin: int, stdout: int, stderr: int) -> dict[str, Any] | None:
        """Run argv on the three descriptors. Its worker stays outside the sandbox and reports: nothing in there can
        stop the clock or end the report."""
        held = self.held.get(request["id"])
        if held is None:
            return {"lost": "it was stopped"}
        if os.fork():
            return None
        try:
            signal.set_wakeup_fd(-1)
            work_on(held, request, answer, (stdin, stdout, stderr))
        except OSError as error:
            write_json(answer, {"lost": str(error)})
        finally:
            os._exit(0)

    def kill(self, request: dict[str, Any], answer: int) -> dict[str, Any] | None:
        """SIGKILL what the command that holds `pid` (as the sandbox numbers it) started at or after `since_s`."""
        held = self.held.get(request["id"])
        if held is None:
            return {"lost": "it was stopped"}

        def work() -> dict[str, Any]:
            inside = inhabitants(held)
            shell = next((pid for pid in inside if inner_pid(pid) == request["pid"]), None)
            if shell is None:  # it has ended by itself
                return {}
            chain = [shell]
            while (parent := stat_of(chain[-1]).parent) in inside:
                chain.append(parent)
            job = Job(held, chain[-1], own_group(shell, held))
            if request["shell_too"]:
                os.kill(shell, signal.SIGKILL)  # older than what it runs
            end_job(job, set(chain), request["since_s"])
            return {}

        self._in_worker(answer, work)
        return None

    # -------------------------------------------------------------------------------------------------- network

    def listen(self, request: dict[str, Any], answer: int, channel: int) -> None:
        """Send a socket that listens on the sandbox's 127.0.0.1 through the socket `channel`."""
        held = self.held[request["id"]]

        def work() -> dict[str, Any]:
            if held.namespaces & linux.CLONE_NEWNET:
                try:
                    linux.setns(held.init, linux.CLONE_NEWNET)
                except ProcessLookupError:
                    return {"lost": "its first process died"}
            with socket.create_server(("127.0.0.1", request["port"])) as server, socket.socket(fileno=channel) as out:
                socket.send_fds(out, [b"."], [server.fileno()])
            return {}

        self._in_worker(answer, work)

    # ---------------------------------------------------------------------------------------------------- files

    def changes(self, request: dict[str, Any], answer: int) -> None:
        """Paths that differ from the image: [[path, kind]]."""
        held = self.held[request["id"]]
        uppers = self._uppers(request["id"])

        def work() -> dict[str, Any]:
            found: list[tuple[str, str]] = []
            skipped = {layer["target"].rstrip("/") for layer in held.mounts} | {"/proc", "/sys", "/dev", "/tmp"}
            for layer, upper in zip(held.mounts, uppers, strict=True):
                compare(upper, layer["lowers"], layer["target"].rstrip("/"), skipped, found)
            return {"changes": sorted(found)}

        self._in_worker(answer, work)

    def clone(self, request: dict[str, Any], answer: int) -> None:
        """Prepare the writable layers of sandbox `new` (started next) as a copy of those of `id`."""
        uppers, writable = self._uppers(request["id"]), os.path.join(self.scratch, request["new"], "rw")

        def work() -> dict[str, Any]:
            os.makedirs(writable)
            self._mount_writable(writable, request["storage_mb"])
            copy_trees(uppers, writable)
            return {}

        self._in_worker(answer, work)

    def snapshot(self, request: dict[str, Any], answer: int) -> None:
        """Copy what the sandbox wrote to `snapshots/NAME/INDEX/u`: one more lower layer for every mount."""
        target, uppers = os.path.join(self.snapshots, request["name"]), self._uppers(request["id"])

        def work() -> dict[str, Any]:
            os.mkdir(target)
            copy_trees(uppers, target)
            return {"layers": [os.path.join(target, str(index), "u") for index in range(len(uppers))]}

        self._in_worker(answer, work)

    def _mount_writable(self, path: str, size_mb: int) -> None:
        options = f"size={size_mb}m,nr_inodes={max(4096, size_mb * 256)},mode=755"
        linux.mount("tmpfs", path, "tmpfs", linux.MS_NODEV, options)

    def forget(self, request: dict[str, Any], answer: int) -> None:
        """Remove a snapshot, or an unfinished layer; both may hold files only this user namespace may touch."""
        path = request["path"] if "path" in request else os.path.join(self.snapshots, request["name"])

        def work() -> dict[str, Any]:
            run("rm", "-rf", path)
            return {}

        self._in_worker(answer, work)

    def freeze(self, request: dict[str, Any], answer: int) -> None:
        """Turn what a stopped sandbox wrote to disk (`partial/INDEX/u`) into the layer `folder/INDEX`."""

        def work() -> dict[str, Any]:
            partial, folder = request["partial"], request["folder"]
            ready = partial + "/layer"
            os.mkdir(ready)
            for index in sorted(name for name in os.listdir(partial) if name.isdigit()):
                upper = os.path.join(partial, index, "u")
                if os.listdir(upper):
                    os.rename(upper, os.path.join(ready, index))
            os.rename(ready, folder)
            return {}

        self._in_worker(answer, work)

    def make_whiteout(self, request: dict[str, Any], _answer: int) -> dict[str, Any]:
        os.mknod(request["path"], stat.S_IFCHR | 0o600, os.makedev(0, 0))
        return {}

    def _uppers(self, identity: str) -> list[str]:
        held = self.held[identity]
        return [os.path.join(held.root, "rw", str(index), "u") for index in range(len(held.mounts))]


def _end(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, signal.SIGKILL)


def _remove_cgroup(path: str) -> None:
    for _ in range(100):  # a process that was just reaped may hold it for another moment
        try:
            for entry in os.scandir(path):
                if entry.is_dir():
                    os.rmdir(entry.path)
            os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY:
                return
            time.sleep(0.002)
        else:
            return


# ------------------------------------------------------------------------------------------------------- start-up


def _enter_user_namespace(uid_map: str, gid_map: str) -> None:
    """unshare, and let a child that stayed outside write the maps (newuidmap does it where we are not root)."""
    me = os.getpid()
    go_read, go_write = os.pipe()
    mapper = os.fork()
    if mapper == 0:
        os.close(go_write)
        os.read(go_read, 1)
        try:
            if os.geteuid() == 0:
                for kind, text in (("uid", uid_map), ("gid", gid_map)):
                    with open(f"/proc/{me}/{kind}_map", "w") as file:
                        file.write(text)
            else:
                run("newuidmap", str(me), *uid_map.split())
                run("newgidmap", str(me), *gid_map.split())
        except OSError as error:
            os.write(2, f"{error}\n".encode())
            os._exit(1)
        os._exit(0)
    os.close(go_read)
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)
    os.write(go_write, b"x")
    os.close(go_write)
    if os.waitpid(mapper, 0)[1] != 0:
        raise OSError(errno.EPERM, "the user namespace's id maps were refused")
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def main() -> None:
    """argv: socket descriptor, scratch folder (an empty one, mounted over), uid map, gid map."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    scratch, uid_map, gid_map = sys.argv[2:5]
    os.umask(0o022)
    os.setsid()  # a Ctrl-C on the terminal is the agentgym process's to handle
    # caught, not ignored: the programs that children of ours turn into get the default back by themselves
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
        signal.signal(name, lambda *_: None)
    try:
        _enter_user_namespace(uid_map, gid_map)
        with open("/proc/sys/user/max_user_namespaces", "w") as file:
            file.write("0")
        linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
        linux.mount("tmpfs", scratch, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=700")
    except OSError as error:
        control.send(json.dumps({"error": str(error)}).encode())
        return
    linux.adopt_orphans()
    supervisor = Supervisor(control, scratch)
    gc.disable()  # each fork would copy the pages that a collection touches
    control.send(b'{"ok": true}')
    try:
        supervisor.serve()
    finally:
        supervisor.shut_down()
