"""One control group a sandbox: memory, pids and CPU of all its processes together, on cgroup v1 and v2.

Groups are named agentgym-PID-START-ID after the process that owns them, so that `prune` can tell whose owner is dead.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from agentgym.protocols import Limits
from agentgym.sandbox.owner import owner_is_alive

CONTROLLERS = ("memory", "pids", "cpu")
_PERIOD_US = 100_000


@dataclass(frozen=True, slots=True)
class Cgroups:
    """Folders below which this process may make groups, by controller. Empty where the machine gives none."""

    parents: dict[str, Path]
    unified: bool

    @property
    def complete(self) -> bool:
        return all(name in self.parents for name in CONTROLLERS)

    def paths(self, name: str) -> list[str]:
        """Folders of the group; a process must join all of them."""
        return list(dict.fromkeys(str(parent / name) for parent in self.parents.values()))

    def create(self, name: str, limits: Limits) -> None:
        """Make the group with its limits."""
        for path in self.paths(name):
            Path(path).mkdir(exist_ok=True)
        memory, quota_us = str(limits.memory_mb << 20), str(int(limits.cpus * _PERIOD_US))
        if self.unified:
            settings = [
                ("memory", "memory.max", memory), ("memory", "memory.swap.max", "0"),
                ("pids", "pids.max", str(limits.pids)), ("cpu", "cpu.max", f"{quota_us} {_PERIOD_US}"),
            ]  # fmt: skip
        else:
            settings = [
                ("memory", "memory.limit_in_bytes", memory), ("memory", "memory.memsw.limit_in_bytes", memory),
                ("pids", "pids.max", str(limits.pids)),
                ("cpu", "cpu.cfs_period_us", str(_PERIOD_US)), ("cpu", "cpu.cfs_quota_us", quota_us),
            ]  # fmt: skip
        for controller, key, value in settings:
            file = self.parents[controller] / name / key
            if "swap" in key or "memsw" in key:  # absent on kernels built without swap accounting
                with contextlib.suppress(OSError):
                    file.write_text(value)
            else:
                file.write_text(value)

    def remove(self, name: str) -> None:
        """Remove a group that no process ever joined."""
        for path in self.paths(name):
            with contextlib.suppress(OSError):
                Path(path).rmdir()

    def oom_kills(self, name: str) -> int:
        """Processes of the group that the kernel ended for memory so far."""
        if "memory" not in self.parents:
            return 0
        file = self.parents["memory"] / name / ("memory.events" if self.unified else "memory.oom_control")
        with contextlib.suppress(OSError):
            for line in file.read_text().splitlines():
                key, _, value = line.partition(" ")
                if key == "oom_kill":
                    return int(value)
        return 0


def find_cgroups() -> Cgroups:
    """Where this process may make groups: below its own one."""
    own = dict(_own_groups())
    parents: dict[str, Path] = {}
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    if unified:
        group = Path("/sys/fs/cgroup" + own.get("", "/"))
        # processes and enabled controllers exclude each other in a v2 group (the root excepted): use the parent
        for parent in (group, group.parent):
            with contextlib.suppress(OSError):
                enabled = (parent / "cgroup.subtree_control").read_text().split()
                if os.access(parent, os.W_OK) and not set(CONTROLLERS) <= set(enabled):
                    (parent / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in CONTROLLERS))
                    enabled = list(CONTROLLERS)
                if os.access(parent, os.W_OK) and set(CONTROLLERS) <= set(enabled):
                    parents = dict.fromkeys(CONTROLLERS, parent)
                    break
    else:
        for name in CONTROLLERS:
            parent = Path("/sys/fs/cgroup", name + own.get(name, "/"))
            if parent.is_dir() and os.access(parent, os.W_OK):
                parents[name] = parent
    return Cgroups(parents, unified)


def _own_groups() -> list[tuple[str, str]]:
    """(controller, path) of this process; the controller of cgroup v2 is ""."""
    found = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        found += [(name, path) for name in controllers.split(",")]
    return found


def group_name(owner: str, identity: str) -> str:
    return f"agentgym-{owner}-{identity}"


def prune() -> list[str]:
    """Remove groups whose owner is dead; returns their paths."""
    removed = []
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        for name in [n for n in names if n.startswith("agentgym-")]:
            names.remove(name)
            if not owner_is_alive("-".join(name.split("-")[1:3])):
                with contextlib.suppress(OSError):
                    Path(folder, name).rmdir()
                    removed.append(f"cgroup {folder}/{name}")
    return removed
