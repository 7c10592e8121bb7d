"""The `docker` backend: containers of a real Docker engine, through its Python SDK.

build     `docker build` of the task's environment/, cached by the engine
start     one container; its pid 1 is ours (docker_inside.py) and ends with the TTL
exec      `docker exec` of a small wrapper that says when the command begins and ends, so that nothing waits for
          background processes; on timeout pid 1 kills what descends from it, and a second, longer limit holds here
stop      the container is removed; so it is at exit, and by `prune` when its owner died without one
snapshot  `docker commit`: its time grows with what was written
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentgym.errors import ImageError, SandboxError, SandboxLost
from agentgym.protocols import Check, ExecResult, FileChange, Image, Limits, SandboxSpec
from agentgym.sandbox import docker_build, docker_diff, docker_inside, docker_labels, transfer
from agentgym.sandbox.docker_engine import connect, engine_errors
from agentgym.sandbox.docker_storage import StorageWatch
from agentgym.sandbox.docker_stream import STDOUT, AttachedStream
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
_BASELINES = 8
"""Images whose files are kept in mind, some megabytes each."""
DROPPED_CAPABILITIES = ["NET_RAW", "MKNOD", "AUDIT_WRITE", "SETFCAP"]
"""Of Docker's default set; the rest is what package managers and test suites run by root use."""


# ---------------------------------------------------------------------------------------------------- the sandbox


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


class DockerSandbox:
    """Matches `protocols.Sandbox`."""

    def __init__(self, backend: DockerBackend, api: Any, spec: SandboxSpec) -> None:
        self.id = f"agentgym-{secrets.token_hex(6)}"
        self.spec = spec
        self._backend = backend
        self._api = api
        self._origin = spec.image
        """What `diff` compares with: of a fork the image that the first one started from."""
        self._warden: docker_inside.Warden | None = None
        self._shells: weakref.WeakSet[AttachedStream] = weakref.WeakSet()
        self._n_storage_kills = 0
        # the container is named before it is asked for: no interrupt can fall between its creation and our knowledge
        self._remove: Callable[[], Any] = lambda: None

    def start(self) -> None:
        image = self.spec.image
        self._remove = weakref.finalize(self, _remove_container, self._api, self.id, os.getpid())
        try:
            with engine_errors(f"start sandbox {self.id} of image {image.ref}"):
                has_quota = self._backend.create_container(self.id, self.spec)
                stream = AttachedStream(self._api.attach_socket(self.id, params={"stdin": 1, "stdout": 1, "stream": 1}))
                self._warden = docker_inside.Warden(stream)
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
    ) -> ExecResult:
        argv = ["bash", "-c", command] if isinstance(command, str) else list(command)
        ended = self._run(argv, timeout_s, cwd, env, user, stdin, self.spec.limits.output_bytes)
        return ExecResult(
            exit_code=124 if ended.timed_out else ended.status,
            stdout=ended.stdout.text(),
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

    def pack(self, folder: str, names: Sequence[str], *, max_bytes: int = 256 << 20, missing_ok: bool = False) -> bytes:
        return transfer.pack(self._as_root, folder, names, max_bytes, missing_ok)

    def diff(self) -> list[FileChange]:
        self._running()
        return docker_diff.compare(self._as_root, self._backend.baseline(self._origin))

    def alive(self) -> bool:
        warden = self._warden
        return warden is not None and warden.alive()

    def snapshot(self) -> Image:
        """`docker commit`; the engine's image goes with the last object that holds the answer's `detail`."""
        self._running()
        with engine_errors(f"snapshot sandbox {self.id}"):
            # it has its container's other labels, the owner's among them
            labels = f"LABEL {docker_labels.IMAGE}=snapshot {docker_labels.TTL_S}=inf"
            ref: str = self._api.commit(self.id, changes=[labels])["Id"]
        detail = _Snapshot(self.spec.image.detail)
        weakref.finalize(detail, _remove_image, self._api, ref, os.getpid())
        return replace(self.spec.image, ref=ref, detail=detail)

    def fork(self) -> DockerSandbox:
        twin = DockerSandbox(self._backend, self._api, replace(self.spec, image=self.snapshot()))
        twin._origin = self._origin
        twin.start()
        return twin

    def stop(self) -> None:
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
        return ended.status, ended.stdout.data(), ended.stderr.text()

    def _run(
        self,
        argv: list[str],
        timeout_s: float,
        cwd: str | None,
        env: Mapping[str, str] | None,
        user: str | None,
        stdin: bytes,
        limit_bytes: int,
    ) -> _Ended:
        nonce = secrets.token_hex(8)
        out, err = Capture(nonce, limit_bytes), Capture(nonce, limit_bytes)
        wrapped = docker_inside.command_argv(argv, nonce, cwd or self.spec.image.workdir)
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
                out = Capture(nonce, limit_bytes)
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
        _, stream = self._attach(docker_inside.shell_argv(list(argv), self.spec.image.workdir), with_stdin=True)
        self._shells.add(stream)
        return stream

    def _slay(self, pid: int, since_s: float, *, shell_too: bool) -> None:
        """`shell.Kill`."""
        if not self._running().slay(pid, since_s, shell_too=shell_too):
            raise SandboxLost(f"sandbox {self.id} died while a command ran in it")

    def _warden_slay(self, pid: int, begun_s: float) -> bool:
        return self._running().slay(pid, begun_s, shell_too=False)

    def _running(self) -> docker_inside.Warden:
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


def _remove_container(api: Any, name: str, owner_pid: int) -> None:
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


# ---------------------------------------------------------------------------------------------------- the backend


class DockerBackend:
    """Matches `protocols.Backend`."""

    name = "docker"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: Any = None
        self._watch: StorageWatch | None = None
        self._baselines: OrderedDict[str, docker_diff.Baseline] = OrderedDict()
        self._has_quota = True
        """Whether the storage driver takes a size; False once it refused one."""

    @property
    def storage_watch(self) -> StorageWatch:
        if self._watch is None:
            self._watch = StorageWatch(self._api())
        return self._watch

    def doctor(self) -> list[Check]:
        try:
            api = self._api()
            with engine_errors("ask the Docker engine"):
                info = api.info()
        except SandboxError as error:
            return [Check("docker engine", False, str(error))]
        driver = dict(info.get("DriverStatus") or [])
        lacking = [
            limit for limit, key in (("memory", "MemoryLimit"), ("pids", "PidsLimit"), ("cpu", "CpuCfsQuota"))
            if not info.get(key)
        ]  # fmt: skip
        quota = info["Driver"] in ("btrfs", "zfs") or driver.get("Backing Filesystem") == "xfs"
        version = str(info["ServerVersion"])
        old = int(version.split(".")[0]) < 23
        return [
            Check(
                "docker engine",
                True,
                f"{version} on {info['OSType']}, API {api.api_version}"
                + (": up to 22, sandboxes can reach the hypervisor by AF_VSOCK; take 23 or later" if old else ""),
            ),
            Check(
                "docker limits",
                not lacking,
                f"no {', '.join(lacking)} control: enable these control groups in the kernel, then restart the engine"
                if lacking
                else f"memory, pids and cpu (cgroup v{info.get('CgroupVersion', 1)})",
            ),
            Check(
                "docker storage",
                True,
                f"{info['Driver']}: storage_mb is a quota (on xfs, if mounted with pquota)"
                if quota
                else f"{info['Driver']} on {driver.get('Backing Filesystem', '?')} has no quota: storage_mb caps each "
                "file, and a watchdog kills what writes more in all; for a quota, move the engine to btrfs or xfs",
            ),
        ]

    def build(self, context: Path, *, timeout_s: float = 600.0, memory_mb: int = 4096) -> Image:
        return self.image(docker_build.build(context, timeout_s=timeout_s, memory_mb=memory_mb))

    def image(self, ref: str) -> Image:
        """A prebuilt image: from this engine, else pulled. Raises ImageError."""
        import docker.errors

        with engine_errors(f"inspect image {ref}"):
            try:
                found = self._api().inspect_image(ref)
            except docker.errors.ImageNotFound:
                self.pull(ref)
                found = self._api().inspect_image(ref)
        config = found["Config"]
        variables = dict(pair.split("=", 1) for pair in config.get("Env") or [])
        return Image(
            backend=self.name,
            ref=found["Id"],
            workdir=config.get("WorkingDir") or "/",
            env=variables,
            user=config.get("User") or "root",
        )

    def pull(self, ref: str) -> None:
        """Fetch an image from its registry. Raises ImageError."""
        import docker.errors

        name, colon, tag = ref.rpartition(":")
        if not colon or "/" in tag:
            name, tag = ref, "latest"
        try:
            with engine_errors(f"pull {ref}"):
                self._api().pull(name, tag=tag)
        except (SandboxError, docker.errors.DockerException) as error:
            raise ImageError(f"image {ref} is not on this machine and cannot be pulled ({error}): "
                             "docker load it, or see to its name and the network") from None  # fmt: skip

    def create(self, spec: SandboxSpec) -> DockerSandbox:
        return DockerSandbox(self, self._api(), spec)

    def prune(self, *, images: bool = False) -> list[str]:
        api = self._api()
        removed = []
        with engine_errors("list sandboxes"):
            containers = api.containers(all=True, filters={"label": docker_labels.OWNER_PID})
        for container in containers:
            why = docker_labels.why_stale(container["Labels"], container["State"])
            if why:
                name = container["Names"][0].lstrip("/")
                _remove_container(api, name, os.getpid())
                removed.append(f"container {name} ({why})")
        with engine_errors("list snapshots"):
            snapshots = api.images(filters={"label": f"{docker_labels.IMAGE}=snapshot"})
        for snapshot in snapshots:
            if why := docker_labels.why_stale(snapshot["Labels"], ""):
                with contextlib.suppress(SandboxError), engine_errors(f"remove snapshot {snapshot['Id']}"):
                    api.remove_image(snapshot["Id"], force=True)  # and those below it
                    removed.append(f"snapshot {snapshot['Id']} ({why})")
        if images:
            with engine_errors("remove images"):
                for image in api.images(filters={"label": docker_labels.IMAGE}):
                    api.remove_image(image["Id"], force=True)
                    removed.append(f"image {(image['RepoTags'] or [image['Id']])[0]}")
        return removed

    def baseline(self, image: Image) -> docker_diff.Baseline:
        """What `diff` compares sandboxes of the image with."""

        @contextlib.contextmanager
        def fresh() -> Iterator[docker_diff.Run]:
            sandbox = self.create(SandboxSpec(image, ttl_s=FILE_TIMEOUT_S))
            try:
                sandbox.start()
                yield sandbox._as_root
            finally:
                sandbox.stop()

        if image.detail is not None:  # a snapshot is not kept for this
            return docker_diff.Baseline(fresh)
        with self._lock:
            found = self._baselines.pop(image.ref, None) or docker_diff.Baseline(fresh)
            self._baselines[image.ref] = found
            if len(self._baselines) > _BASELINES:
                self._baselines.popitem(last=False)
            return found

    def create_container(self, name: str, spec: SandboxSpec) -> bool:
        """Create it, not started; whether storage_mb is a quota, which not every engine has."""
        import docker.errors

        api = self._api()
        if self._has_quota:
            try:
                self._create(api, name, spec, {"storage_opt": {"size": f"{spec.limits.storage_mb}m"}})
                return True
            except docker.errors.APIError as error:
                if "storage-opt" not in str(error) and "storage opt" not in str(error).lower():
                    raise
                self._has_quota = False
        size = spec.limits.storage_mb << 20
        self._create(api, name, spec, {"ulimits": [{"Name": "fsize", "Soft": size, "Hard": size}]})
        return False

    def _create(self, api: Any, name: str, spec: SandboxSpec, storage: dict[str, Any]) -> None:
        limits: Limits = spec.limits
        api.create_container(
            spec.image.ref,
            name=name,
            entrypoint=docker_inside.warden_argv(spec.ttl_s),
            command=[],
            stdin_open=True,
            user="0",
            working_dir="/",
            environment=dict(spec.env),
            labels=docker_labels.container_labels(spec.labels, spec.ttl_s),
            healthcheck={"test": ["NONE"]},
            host_config=api.create_host_config(
                auto_remove=True,
                network_mode="none" if spec.network == "none" else "bridge",
                mem_limit=limits.memory_mb << 20,
                memswap_limit=limits.memory_mb << 20,
                nano_cpus=int(limits.cpus * 1e9),
                pids_limit=limits.pids,
                cap_drop=DROPPED_CAPABILITIES,
                security_opt=["no-new-privileges"],
                log_config={"Type": "none"},
                **storage,
            ),
        )

    def _api(self) -> Any:
        with self._lock:
            if self._connection is None:
                self._connection = connect()
            return self._connection
