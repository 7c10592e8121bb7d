"""The `namespaces` backend: Linux namespaces by bubblewrap, copy-on-write files by overlayfs, no engine and no daemon.

image     the host's toolchain (hostbase.py) under one cached folder a Dockerfile step (layers.py)
sandbox   an overlay with a tmpfs on top (its size is storage_mb, its bytes count as memory), and pid 1 in namespaces
command   entered from outside by the supervisor (client.py, supervisor.py): nothing of ours runs where the agent rules
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

from agentgym.errors import ImageError, SandboxError
from agentgym.protocols import Check, Image, SandboxSpec
from agentgym.sandbox.cache import cache_folder
from agentgym.sandbox.namespaces import cgroup, layers
from agentgym.sandbox.namespaces.client import id_maps, supervisor
from agentgym.sandbox.namespaces.sandbox import NamespacesSandbox, find_cgroups
from agentgym.sandbox.owner import owner_is_alive


class NamespacesBackend:
    """Matches `protocols.Backend`."""

    name = "namespaces"

    def doctor(self) -> list[Check]:
        checks = []
        bwrap = shutil.which("bwrap")
        checks.append(Check("bubblewrap", bwrap is not None, bwrap or "not found; as root: apt-get install bubblewrap"))
        release = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
        wanted = "" if release >= (6, 6) else "; overlayfs on tmpfs in a user namespace needs Linux 6.6"
        checks.append(Check("kernel", release >= (6, 6), f"Linux {os.uname().release}{wanted}"))
        try:
            supervisor()
            checks.append(Check("user namespace", True, f"id maps {id_maps()[0]}"))
        except SandboxError as error:
            checks.append(Check("user namespace", False, str(error)))
        groups = find_cgroups()
        detail = (
            f"memory, pids and CPU by cgroup v{2 if groups.unified else 1}"
            if groups.complete
            else "no writable control group: memory and pids are limited a process at a time, CPU is not "
            "(run as root, or under `systemd-run --user --scope -p Delegate=yes`)"
        )
        checks.append(Check("limits", True, detail))
        if all(check.ok for check in checks):
            checks.append(self._try_one())
        return checks

    def _try_one(self) -> Check:
        started = time.monotonic()
        try:
            sandbox = self.create(SandboxSpec(self.image(f"python:{sys.version_info.major}.{sys.version_info.minor}")))
            try:
                sandbox.start()
                result = sandbox.exec(["python3", "-c", "print('hello')"])
            finally:
                sandbox.stop()
        except (SandboxError, ImageError) as error:
            return Check("sandbox", False, str(error))
        took_ms = 1000 * (time.monotonic() - started)
        ok = result.stdout == "hello\n"
        return Check(
            "sandbox", ok, f"started, ran python3, stopped in {took_ms:.0f} ms" if ok else result.stderr.strip()
        )

    def build(self, context: Path, *, timeout_s: float = 600.0, memory_mb: int = 4096) -> Image:
        return layers.build(context, timeout_s=timeout_s, memory_mb=memory_mb)

    def image(self, reference: str) -> Image:
        """What a task that names an image instead of a Dockerfile starts from."""
        return layers.from_reference(reference)

    def create(self, spec: SandboxSpec) -> NamespacesSandbox:
        return NamespacesSandbox(spec)

    def prune(self, *, images: bool = False) -> list[str]:
        """Control groups of dead owners and half-built layers; the rest died with its owner."""
        removed = cgroup.prune()
        folders = cache_folder() / "layers"
        for folder in sorted(folders.glob("*" if images else "*.partial-*")):
            owner = folder.name.partition(".partial-")[2]
            if not owner or not owner_is_alive(owner):
                supervisor().call("forget", path=str(folder), timeout_s=600.0)
                removed.append(f"layer {folder}")
        return removed
