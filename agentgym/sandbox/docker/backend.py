"""The `docker` backend: containers of a real Docker engine, through its Python SDK.

build     `docker build` of the task's environment/, cached by the engine
start     one container; its pid 1 is ours (inside.py) and ends with the TTL
exec      `docker exec` of a small wrapper that says when the command begins and ends, so that nothing waits for
          background processes; on timeout pid 1 kills what descends from it, and a second, longer limit holds here
stop      the container is removed; so it is at exit, and by `prune` when its owner died without one
snapshot  `docker commit`: its time grows with what was written
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentgym.errors import ImageError, SandboxError
from agentgym.protocols import Check, Image, Limits, SandboxSpec
from agentgym.sandbox import mounts
from agentgym.sandbox.docker import build, diff, inside, labels, listen
from agentgym.sandbox.docker.engine import connect, engine_errors
from agentgym.sandbox.docker.sandbox import FILE_TIMEOUT_S, DockerSandbox, remove_container
from agentgym.sandbox.docker.storage import StorageWatch

_BASELINES = 8
"""Images whose files are kept in mind, some megabytes each."""
DROPPED_CAPABILITIES = ["NET_RAW", "MKNOD", "AUDIT_WRITE", "SETFCAP"]
"""Of Docker's default set; the rest is what package managers and test suites run by root use."""


class DockerBackend:
    """Matches `protocols.Backend`."""

    name = "docker"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: Any = None
        self._watch: StorageWatch | None = None
        self._baselines: OrderedDict[str, diff.Baseline] = OrderedDict()
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
            Check(
                "docker listen",
                True,
                f"none, so agents that run inside cannot reach a model: {missing}"
                if (missing := listen.why_not(info))
                else "sandboxes take sockets, for agents that run inside",
            ),
        ]

    def build(self, context: Path, *, timeout_s: float = 600.0, memory_mb: int = 4096) -> Image:
        return self.image(build.build(context, timeout_s=timeout_s, memory_mb=memory_mb))

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
            containers = api.containers(all=True, filters={"label": labels.OWNER_PID})
        for container in containers:
            why = labels.why_stale(container["Labels"], container["State"])
            if why:
                name = container["Names"][0].lstrip("/")
                remove_container(api, name, os.getpid())
                removed.append(f"container {name} ({why})")
        with engine_errors("list snapshots"):
            snapshots = api.images(filters={"label": f"{labels.IMAGE}=snapshot"})
        for snapshot in snapshots:
            if why := labels.why_stale(snapshot["Labels"], ""):
                with contextlib.suppress(SandboxError), engine_errors(f"remove snapshot {snapshot['Id']}"):
                    api.remove_image(snapshot["Id"], force=True)  # and those below it
                    removed.append(f"snapshot {snapshot['Id']} ({why})")
        if images:
            with engine_errors("remove images"):
                for image in api.images(filters={"label": labels.IMAGE}):
                    api.remove_image(image["Id"], force=True)
                    removed.append(f"image {(image['RepoTags'] or [image['Id']])[0]}")
        return removed

    def baseline(self, image: Image) -> diff.Baseline:
        """What `diff` compares sandboxes of the image with."""

        @contextlib.contextmanager
        def fresh() -> Iterator[diff.Run]:
            sandbox = self.create(SandboxSpec(image, ttl_s=FILE_TIMEOUT_S))
            try:
                sandbox.start()
                yield sandbox._as_root
            finally:
                sandbox.stop()

        if image.detail is not None:  # a snapshot is not kept for this
            return diff.Baseline(fresh)
        with self._lock:
            found = self._baselines.pop(image.ref, None) or diff.Baseline(fresh)
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
        binds = [
            # engines before 25 would leave what is mounted below the folder writable
            {
                "Type": "bind",
                "Source": source,
                "Target": target,
                "ReadOnly": True,
                "BindOptions": {"NonRecursive": True},
            }
            for source, target in mounts.checked(spec.mounts)
        ]
        api.create_container(
            spec.image.ref,
            name=name,
            entrypoint=inside.warden_argv(spec.ttl_s),
            command=[],
            stdin_open=True,
            user="0",
            working_dir="/",
            environment=dict(spec.env),
            labels=labels.container_labels(spec.labels, spec.ttl_s),
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
                mounts=binds,
                log_config={"Type": "none"},
                **storage,
            ),
        )

    def _api(self) -> Any:
        with self._lock:
            if self._connection is None:
                self._connection = connect()
            return self._connection
