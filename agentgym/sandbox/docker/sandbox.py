"""One container, and the commands in it."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from agentgym.errors import ImageError, SandboxError, SandboxLost
from agentgym.protocols import ExecResult, FileChange, Image, SandboxSpec
from agentgym.sandbox import transfer
from agentgym.sandbox.docker import diff, inside, labels
from agentgym.sandbox.docker.engine import engine_errors
from agentgym.sandbox.docker.listen import listen
from agentgym.sandbox.docker.storage import StorageWatch
from agentgym.sandbox.docker.stream import STDOUT, AttachedStream
from agentgym.sandbox.shell import Capture, PersistentShell

logger = logging.getLogger(__name__)

START_TIMEOUT_S = 60.0
"""Longest wait for a container, or for a command in it, to begin."""
GRACE_S = 10.0
"""How much longer than its own limit a command may take to be killed before the sandbox counts as lost."""
FILE_TIMEOUT_S = 300.0
"""For reading, writing, comparing files."""
_KILLED_TRIES = 3
"""Of those, as the storage watch kills them with the command of the agent's that wrote too much before."""


@dataclass(slots=True)
class _Ended:
    """How a command ended."""

    status: int
    stdout: Capture
    stderr: Capture
    timed_out: bool
    duration_s: float
    notes: str


class _Snapshot:
    """Keeps a committed image, and what it was committed on top of, for as long as somebody may start from it."""

    def __init__(self, below: object) -> None:
        self.below = below


class Host(Protocol):
    """What a sandbox asks of its backend."""

    @property
    def storage_watch(self) -> StorageWatch: ...

    def create_container(self, name: str, spec: SandboxSpec) -> bool:
        """Create it, not started; whether storage_mb is a quota."""

    def baseline(self, image: Image) -> diff.Baseline:
        """The files of the image."""


class DockerSandbox:
    """Matches `protocols.Sandbox`."""

    def __init__(self, backend: Host, api: Any, spec: SandboxSpec) -> None:
        self.id = f"agentgym-{secrets.token_hex(6)}"
        self.spec = spec
        self._backend = backend
        self._api = api
        self._origin = spec.image
        """What `diff` compares with: of a fork the image that the first one started from."""
        self._changing = threading.RLock()
        """Held while it starts or stops: whoever stops it in another thread waits until it has started."""
        self._warden: inside.Warden | None = None
        self._shells: weakref.WeakSet[AttachedStream] = weakref.WeakSet()
        self._n_storage_kills = 0
        # the container is named before it is asked for: no interrupt can fall between its creation and our knowledge
        self._remove: Callable[[], Any] = lambda: None

    def start(self) -> None:
        with self._changing:
            self._start()

    def _start(self) -> None:
        image = self.spec.image
        self._remove = weakref.finalize(self, remove_container, self._api, self.id, os.getpid())
        try:
            with engine_errors(f"start sandbox {self.id} of image {image.ref}"):
                has_quota = self._backend.create_container(self.id, self.spec)
                stream = AttachedStream(self._api.attach_socket(self.id, params={"stdin": 1, "stdout": 1, "stream": 1}))
                self._warden = inside.Warden(stream)
                self._api.start(self.id)
            if not has_quota:
                self._backend.storage_watch.add(self)
            if not self._warden.alive():
                raise SandboxError(f"sandbox {self.id} ended as soon as it started: see `docker events`")
        except BaseException as error:
            self.stop()
            if isinstance(error, SandboxError) and '"bash": executable file not found' in str(error):
                raise ImageError(f"image {image.ref} has no bash: install it in the Dockerfile") from None
            raise

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
        ended = self._run(argv, timeout_s, cwd, env, user, stdin, stdout_limit_bytes)
        return ExecResult(
            exit_code=124 if ended.timed_out else ended.status,
            stdout_bytes=ended.stdout.data(),
            stderr=ended.stderr.text() + ended.notes,
            timed_out=ended.timed_out,
            truncated=ended.stdout.truncated or ended.stderr.truncated,
            duration_s=ended.duration_s,
        )

    def shell(self) -> PersistentShell:
        return PersistentShell(self._open_shell, self._slay, output_bytes=self.spec.limits.output_bytes)

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
        if not self.alive():
            raise SandboxLost(f"sandbox {self.id} is not running")
        with engine_errors(f"sandbox {self.id}"):
            network: str = self._api.inspect_container(self.id)["NetworkSettings"]["SandboxKey"]
        return listen(Path(network), port)

    def diff(self) -> list[FileChange]:
        self._running()
        return diff.compare(self._as_root, self._backend.baseline(self._origin), self.spec.mounts)

    def alive(self) -> bool:
        warden = self._warden
        return warden is not None and warden.alive()

    def snapshot(self) -> Image:
        """`docker commit`; the engine's image goes with the last object that holds the answer's `detail`."""
        self._running()
        with engine_errors(f"snapshot sandbox {self.id}"):
            # it has its container's other labels, the owner's among them
            marked = f"LABEL {labels.IMAGE}=snapshot {labels.TTL_S}=inf"
            ref: str = self._api.commit(self.id, changes=[marked])["Id"]
        detail = _Snapshot(self.spec.image.detail)
        weakref.finalize(detail, _remove_image, self._api, ref, os.getpid())
        return replace(self.spec.image, ref=ref, detail=detail)

    def fork(self) -> DockerSandbox:
        twin = DockerSandbox(self._backend, self._api, replace(self.spec, image=self.snapshot()))
        twin._origin = self._origin
        twin.start()
        return twin

    def stop(self) -> None:
        with self._changing:
            self._stop()

    def _stop(self) -> None:
        warden, self._warden = self._warden, None
        self._backend.storage_watch.remove(self)
        # in a thread of its own: a second Ctrl-C ends the wait, not the removal
        removal = threading.Thread(target=self._remove, name=f"stop-{self.id}")
        removal.start()
        removal.join()
        for stream in list(self._shells):
            stream.abort()
        if warden is not None:
            warden.close()

    # what the storage watch asks for

    def storage_limit_bytes(self) -> int:
        return self.spec.limits.storage_mb << 20

    def kill_for_storage(self) -> None:
        if (warden := self._warden) is not None:
            self._n_storage_kills += 1
            logger.info(
                "sandbox %s holds more than %d MB: its processes are killed", self.id, self.spec.limits.storage_mb
            )
            warden.slay_all()

    # commands

    def _as_root(self, argv: list[str], *, stdin: bytes = b"", limit_bytes: int = 1 << 16) -> tuple[int, bytes, str]:
        """`transfer.Run`."""
        for _ in range(_KILLED_TRIES):
            n_kills = self._n_storage_kills
            ended = self._run(argv, FILE_TIMEOUT_S, "/", None, "root", stdin, limit_bytes)
            if self._n_storage_kills == n_kills:
                break
        if ended.timed_out:
            raise SandboxError(f"sandbox {self.id}: {argv[0]} took longer than {FILE_TIMEOUT_S:.0f} s")
        if ended.status and not self.alive():
            raise SandboxLost(f"sandbox {self.id} was stopped while files were brought in or out")
        return ended.status, ended.stdout.data(), ended.stderr.text()

    def _run(
        self,
        argv: list[str],
        timeout_s: float,
        cwd: str | None,
        env: Mapping[str, str] | None,
        user: str | None,
        stdin: bytes,
        stdout_limit_bytes: int | None,
    ) -> _Ended:
        nonce, output_bytes = secrets.token_hex(8), self.spec.limits.output_bytes
        out = Capture(nonce, output_bytes if stdout_limit_bytes is None else stdout_limit_bytes)
        err = Capture(nonce, output_bytes)
        wrapped = inside.command_argv(argv, nonce, cwd or self.spec.image.workdir)
        n_storage_kills = self._n_storage_kills
        exec_id, stream = self._attach(wrapped, env=env, user=user, with_stdin=bool(stdin))
        pid, begun_s, started, kills, status = 0, 0.0, time.monotonic(), [0], 0
        deadline, timed_out = started + START_TIMEOUT_S, False
        n_ends = 0
        with contextlib.closing(stream):
            stream.queue(stdin, then_end=bool(stdin))
            while n_ends < 2:
                if time.monotonic() >= deadline:
                    if timed_out or not pid or not self._warden_slay(pid, begun_s):
                        self.stop()
                        raise SandboxLost(f"sandbox {self.id} did not obey: stopped it {GRACE_S:.0f} s after a timeout")
                    timed_out, deadline = True, time.monotonic() + GRACE_S
                try:
                    frames = stream.turn(max(0.0, deadline - time.monotonic()))
                except TimeoutError:
                    continue
                except OSError:
                    frames = None
                if frames is None:
                    break
                for number, payload in frames:
                    for kind, first, second in (out if number == STDOUT else err).feed(payload):
                        if kind == "begin":
                            pid, begun_s, started = first, float(second), time.monotonic()
                            deadline = started + timeout_s
                        elif kind == "kills":
                            kills = [first]
                        elif kind == "end":
                            n_ends += 1
                            if number != STDOUT:
                                kills.append(first)
                                status = int(second)
        duration_s = time.monotonic() - started
        notes = ""
        if n_ends < 2:
            status = self._status_without_end(exec_id)
            if status == 0:  # it ended well, so it said so: the rest of its output is lost as well
                raise SandboxError(f"sandbox {self.id}: the engine ended the streams of a command before their end")
            if not pid:  # what the engine said about that came on either stream
                status = 126
                err.feed(out.data())
                out = Capture(nonce, 0)
        if kills[-1] > kills[0]:
            notes = f"[sandbox] killed: memory limit of {self.spec.limits.memory_mb} MB\n"
        if self._n_storage_kills > n_storage_kills:
            notes = f"[sandbox] killed: storage limit of {self.spec.limits.storage_mb} MB\n"
        return _Ended(status, out, err, timed_out, duration_s, notes)

    def _status_without_end(self, exec_id: str) -> int:
        """Exit code of a wrapper that could not report: never started, or killed from inside. SandboxLost if all is."""
        if not self.alive():
            raise SandboxLost(f"sandbox {self.id} died while a command ran in it")
        with engine_errors(f"sandbox {self.id}"):
            code = self._api.exec_inspect(exec_id)["ExitCode"]
        return 137 if code is None else int(code)

    def _attach(
        self,
        argv: list[str],
        *,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        with_stdin: bool = False,
    ) -> tuple[str, AttachedStream]:
        """Start argv with the streams attached: the engine's id of it, and the stream."""
        if not self._running().alive():  # asked, pid 1 also reaps: dead processes count against the limit
            raise SandboxLost(f"sandbox {self.id} has died")
        with engine_errors(f"sandbox {self.id} is lost"):
            created = self._api.exec_create(
                self.id,
                argv,
                stdin=with_stdin,
                environment=dict(env or {}),
                user=user or self.spec.image.user,
                workdir="/",
            )
            return created["Id"], AttachedStream(self._api.exec_start(created["Id"], socket=True))

    def _open_shell(self, argv: Sequence[str]) -> AttachedStream:
        _, stream = self._attach(inside.shell_argv(list(argv), self.spec.image.workdir), with_stdin=True)
        self._shells.add(stream)
        return stream

    def _slay(self, pid: int, since_s: float, *, shell_too: bool) -> None:
        """`shell.Kill`."""
        if not self._running().slay(pid, since_s, shell_too=shell_too):
            raise SandboxLost(f"sandbox {self.id} died while a command ran in it")

    def _warden_slay(self, pid: int, begun_s: float) -> bool:
        return self._running().slay(pid, begun_s, shell_too=False)

    def _running(self) -> inside.Warden:
        warden = self._warden
        if warden is None:
            raise SandboxLost(f"sandbox {self.id} is not running")
        return warden


def _remove_image(api: Any, ref: str, owner_pid: int) -> None:
    """Does nothing in a forked child of the owner. One still in use is left to `prune`."""
    if os.getpid() == owner_pid:
        with contextlib.suppress(SandboxError), engine_errors(f"remove snapshot {ref}"):
            # noprune: a snapshot below it may still be held
            api.remove_image(ref, force=True, noprune=True)


def remove_container(api: Any, name: str, owner_pid: int) -> None:
    """Also called at interpreter exit, and when the sandbox is collected; never in a forked child."""
    if os.getpid() != owner_pid:
        return
    try:
        with engine_errors(f"remove sandbox {name}"):
            api.remove_container(name, force=True, v=True)
    except SandboxLost:  # it has gone by itself
        pass
    except SandboxError as error:
        logger.warning("%s: `agentgym sandbox prune` removes what is left", error)
