"""One sandbox of the namespaces backend, as the process that uses it holds it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import secrets
import shutil
import socket
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentgym.errors import ImageError, SandboxError, SandboxLost
from agentgym.protocols import ExecResult, FileChange, Image, Limits, SandboxSpec
from agentgym.sandbox import mounts, transfer
from agentgym.sandbox.namespaces import cgroup
from agentgym.sandbox.namespaces.client import DEFAULT_PATH, supervisor
from agentgym.sandbox.namespaces.hostbase import Mounts
from agentgym.sandbox.namespaces.linux import readable
from agentgym.sandbox.namespaces.pipes import GRACE_S, Drain, Kept, PipeStream, converse, open_pipes
from agentgym.sandbox.shell import PersistentShell

_START_S = 30.0


@dataclass(frozen=True)
class NamespacesImage:
    """What `Image.detail` holds here. A snapshot's files are freed with the last object that holds this."""

    mounts: Mounts
    below: NamespacesImage | None = None
    """What a snapshot was taken on top of."""


@dataclass(slots=True)
class _Started:
    """Descriptors and names of a running sandbox."""

    keepalive: int
    """Its pid 1 lives until this is closed, by us or by our death."""
    status: int
    """bwrap holds the other end until it ends."""
    cgroup: str


class NamespacesSandbox:
    """Matches `protocols.Sandbox`."""

    def __init__(self, spec: SandboxSpec, *, disk: Path | None = None) -> None:
        """`disk`: keep what is written in this folder instead of memory (image builds)."""
        self.id = secrets.token_hex(6)
        self.spec = spec
        self._disk = disk
        self._started: _Started | None = None
        self._cloned = False
        self._changing = threading.RLock()
        """Held while it starts or stops: whoever stops it in another thread waits until it has started."""
        self._drain = Drain()
        environment = {"PATH": DEFAULT_PATH, **spec.image.env, **spec.env}
        self._environment = environment

    def start(self) -> None:
        with self._changing:
            self._start()

    def _start(self) -> None:
        detail = self.spec.image.detail
        if not isinstance(detail, NamespacesImage):
            raise ImageError(
                f"image {self.spec.image.ref} was built by {self.spec.image.backend}, wanted by namespaces"
            )
        binds = mounts.checked(self.spec.mounts)
        client, groups, limits = supervisor(), find_cgroups(), self.spec.limits
        name = cgroup.group_name(client.owner, self.id)
        keepalive_theirs, keepalive = os.pipe()
        echo, echo_theirs = os.pipe()
        status, status_theirs = os.pipe()
        try:
            layers = zip(detail.mounts.targets, detail.mounts.lowers, strict=True)
            answer = client.send(
                "start", keepalive_theirs, echo_theirs, status_theirs,
                id=self.id,
                mounts=[{"target": target, "lowers": lowers} for target, lowers in layers],
                disk=str(self._disk) if self._disk else None,
                storage_mb=_storage_mb(limits),
                shm_mb=max(1, min(64, limits.memory_mb // 4)),
                cloned=self._cloned,
                binds=binds,
                network=self.spec.network,
                cgroups=groups.paths(name) if groups.complete else [],
                job_parent=str(groups.parents["pids"] / name) if groups.complete else None,
                ttl_s=self.spec.ttl_s,
                bwrap=shutil.which("bwrap") or "bwrap",
            )  # fmt: skip
        except BaseException:
            os.close(keepalive)
            os.close(echo)
            os.close(status)
            raise
        finally:
            for fd in (keepalive_theirs, echo_theirs, status_theirs):
                os.close(fd)
        self._started = _Started(keepalive, status, name)
        try:
            try:
                if groups.complete:
                    groups.create(name, limits)  # while the supervisor works: no command has to join it yet
            finally:
                client.answer(answer, _START_S)
            os.write(keepalive, b".")
            said = os.read(echo, 4096) if readable(echo, _START_S) else b"nothing"
            report = os.read(status, 4096) if said == b"." else b""
            if not report:
                raise SandboxError(
                    f"a namespaces sandbox did not start: {said.decode() or 'bwrap failed'}; see `agentgym doctor`"
                )
            client.tell("ready", id=self.id, init=json.loads(report.splitlines()[0])["child-pid"])
        except BaseException:
            self.stop()
            groups.remove(name)
            raise
        finally:
            os.close(echo)

    def exec(
        self,
        command: str | Sequence[str],
        *,
        timeout_s: float = 60.0,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        stdin: bytes = b"",
        stdout_limit_bytes: int | None = None,
    ) -> ExecResult:
        argv = ["bash", "-c", command] if isinstance(command, str) else list(command)
        started = self._running()
        kills_before = find_cgroups().oom_kills(started.cgroup)
        report, out, err = self._run(argv, timeout_s, cwd, env, user, stdin, stdout_limit_bytes)
        code: int = report["code"]
        notes = ""
        if code < 0:
            code = 128 - code
            if find_cgroups().oom_kills(started.cgroup) > kills_before:
                notes = f"\n[sandbox] killed: memory limit of {self.spec.limits.memory_mb} MB\n"
        return ExecResult(
            exit_code=124 if report["timed_out"] else code,
            stdout_bytes=bytes(out.data),
            stderr=err.text() + notes,
            timed_out=report["timed_out"],
            truncated=out.truncated or err.truncated,
            duration_s=report["duration_s"],
        )

    def _run(
        self,
        argv: Sequence[str],
        timeout_s: float,
        cwd: str | None,
        env: Mapping[str, str] | None,
        user: str | None,
        stdin: bytes,
        stdout_limit_bytes: int | None,
    ) -> tuple[dict[str, Any], Kept, Kept]:
        with contextlib.ExitStack() as cleanup:
            ours, theirs = open_pipes(cleanup, with_stdin=bool(stdin))
            try:
                answer = self._enter(argv, timeout_s, cwd, env, user, theirs)
            finally:
                for fd in theirs:
                    os.close(fd)
            output_bytes = self.spec.limits.output_bytes
            limits_bytes = (output_bytes if stdout_limit_bytes is None else stdout_limit_bytes, output_bytes)
            report, out, err = converse(ours, answer, stdin, limits_bytes, timeout_s + GRACE_S, self._drain)
        if report is None:
            raise SandboxLost(f"sandbox {self.id}: the supervisor ended while a command ran")
        if "lost" in report:
            raise SandboxLost(f"sandbox {self.id} is gone: {report['lost']}")
        return report, out, err

    def _as_root(self, argv: list[str], *, stdin: bytes = b"", limit_bytes: int = 1 << 16) -> tuple[int, bytes, str]:
        """`transfer.Run`."""
        report, out, err = self._run(argv, 300.0, "/", None, "root", stdin, limit_bytes)
        if report["code"] and not self.alive():
            raise SandboxLost(f"sandbox {self.id} was stopped while files were brought in or out")
        return report["code"], bytes(out.data), err.text()

    def shell(self) -> PersistentShell:
        return PersistentShell(self._open_stream, self._kill, output_bytes=self.spec.limits.output_bytes)

    def _open_stream(self, argv: Sequence[str]) -> PipeStream:
        with contextlib.ExitStack() as cleanup:
            ours, theirs = open_pipes(cleanup, with_stdin=True, merged=True)
            answer = self._enter(argv, 10 * 365 * 86400.0, None, None, None, theirs)
            for fd in theirs[:2]:
                os.close(fd)
            cleanup.pop_all()
        return PipeStream(ours[0], ours[1], answer, self.id)

    def _kill(self, pid: int, since_s: float, *, shell_too: bool) -> None:
        with contextlib.suppress(SandboxError):
            supervisor().call("kill", id=self.id, pid=pid, since_s=since_s, shell_too=shell_too)

    def _enter(
        self,
        argv: Sequence[str],
        timeout_s: float,
        cwd: str | None,
        env: Mapping[str, str] | None,
        user: str | None,
        fds: Sequence[int],
    ) -> int:
        """Ask the supervisor to run argv on stdin, stdout, stderr `fds`; the descriptor its report will come on."""
        self._running()
        return supervisor().send(
            "exec", *fds,
            id=self.id,
            argv=list(argv),
            timeout_s=timeout_s,
            cwd=cwd or self.spec.image.workdir,
            env={**self._environment, **(env or {})},
            user=user or self.spec.image.user,
            rlimits=[] if find_cgroups().complete else _rlimits(self.spec.limits),
        )  # fmt: skip

    def _running(self) -> _Started:
        started = self._started
        if started is None:
            raise SandboxLost(f"sandbox {self.id} is not running")
        return started

    def read(self, path: str, *, max_bytes: int = 64 << 20) -> bytes:
        return transfer.read(self._as_root, path, max_bytes)

    def write(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        transfer.write(self._as_root, path, data, mode)

    def upload(self, source: Path, target: str) -> None:
        transfer.upload(self._as_root, source, target)

    def download(self, source: str, target: Path) -> None:
        transfer.download(self._as_root, source, target)

    def pack(self, folder: str, names: Sequence[str], *, max_bytes: int = 256 << 20) -> bytes:
        return transfer.pack(self._as_root, folder, names, max_bytes)

    def listen(self, port: int = 0) -> socket.socket:
        if not self.alive():  # its pid 1 may outlive bwrap for a moment
            raise SandboxLost(f"sandbox {self.id} is not running")
        ours, theirs = socket.socketpair()
        with ours, theirs:
            supervisor().call("listen", theirs.fileno(), id=self.id, port=port)
            _, (fd,), _, _ = socket.recv_fds(ours, 1, 1)
        listener = socket.socket(fileno=fd)
        listener.set_inheritable(False)
        return listener

    def diff(self) -> list[FileChange]:
        self._running()
        changes = supervisor().call("changes", id=self.id)["changes"]
        return [FileChange(path, kind) for path, kind in changes]

    def alive(self) -> bool:
        """bwrap ends with its pid 1, and closes the status pipe by that."""
        started = self._started
        if started is None:
            return False
        try:
            while readable(started.status, 0):
                if not os.read(started.status, 4096):
                    return False
        except (OSError, ValueError):  # closed by `stop` in another thread
            return False
        return True

    def snapshot(self) -> Image:
        self._running()
        name = secrets.token_hex(4)
        client = supervisor()
        layers = client.call("snapshot", id=self.id, name=name)["layers"]
        below = self.spec.image.detail
        assert isinstance(below, NamespacesImage)
        detail = NamespacesImage(below.mounts.under_snapshot(layers), below)
        weakref.finalize(detail, client.tell, "forget", name=name).atexit = False
        return replace(self.spec.image, ref=f"{self.spec.image.ref}+{name}", detail=detail)

    def fork(self) -> NamespacesSandbox:
        self._running()
        twin = NamespacesSandbox(self.spec)
        supervisor().call("clone", id=self.id, new=twin.id, storage_mb=_storage_mb(self.spec.limits))
        twin._cloned = True
        twin.start()
        return twin

    def stop(self) -> None:
        with self._changing:
            started, self._started = self._started, None
        if started is None:
            return
        client = supervisor()
        with contextlib.suppress(SandboxError):
            client.call("stop", id=self.id)
        self._drain.close()
        os.close(started.keepalive)
        os.close(started.status)


_cgroups: cgroup.Cgroups | None = None


def find_cgroups() -> cgroup.Cgroups:
    global _cgroups
    if _cgroups is None:
        _cgroups = cgroup.find_cgroups()
    return _cgroups


def _storage_mb(limits: Limits) -> int:
    """A full disk must be an error of the write, not a kill for memory: both are memory here."""
    return min(limits.storage_mb, max(1, limits.memory_mb * 3 // 4))


def _rlimits(limits: Limits) -> list[tuple[int, int]]:
    """Second best, a process at a time, where no control group can be made."""
    return [(resource.RLIMIT_AS, limits.memory_mb << 20), (resource.RLIMIT_NPROC, limits.pids)]
