"""What the host sees of a sandbox: its processes, cgroups, layers and mounts, whatever the backend."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


def unique_sleep() -> str:
    """A number of seconds that nobody else sleeps: `sleep NUMBER` can be told from every other process."""
    return str(10**9 + secrets.randbelow(9 * 10**9))


def eventually(holds: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    """Whether `holds` within `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def processes(marker: str) -> list[int]:
    """Host pids of live processes with `marker` in their command line (zombies have none)."""
    return [pid for pid in _pids() if marker.encode() in _read(f"/proc/{pid}/cmdline")]


def gone(marker: str, timeout_s: float = 5.0) -> bool:
    """Whether all processes with `marker` end within `timeout_s`."""
    return eventually(lambda: not processes(marker), timeout_s)


def init_of(pid: int) -> int:
    """Host pid of the process that is pid 1 where `pid` lives."""
    namespace = _link(f"/proc/{pid}/ns/pid")
    for other in _pids():
        if _link(f"/proc/{other}/ns/pid") == namespace and _status(other, "NSpid").split()[-1:] == ["1"]:
            return other
    raise LookupError(f"no init beside process {pid}: is it in a pid namespace of its own?")


@dataclass(frozen=True)
class Footprint:
    """What one sandbox occupies on the host."""

    sandbox_id: str
    processes: frozenset[tuple[int, str]]
    """Pid and start time of all in its pid namespace; of the namespace itself only a number is known, soon reused."""
    cgroups: frozenset[Path]
    layers: frozenset[Path]
    """Folders its writes go to."""

    def remains(self) -> list[str]:
        """What of it is still there."""
        left = [f"process {pid}" for pid, started in self.processes if _started(pid) == started]
        left += [f"cgroup {path}" for path in self.cgroups if path.exists()]
        left += [f"cgroup {path}" for path in cgroup_dirs() if self.sandbox_id in path.name]
        left += [f"layer {path}" for path in self.layers if path.exists()]
        names = (self.sandbox_id, *map(str, self.layers))
        left += [f"mount {line}" for line in mounts() if any(name in line for name in names)]
        left += [f"file {path}" for path in temporary_files() if self.sandbox_id in path.name]
        return left

    def vanishes(self, timeout_s: float = 10.0) -> bool:
        """Whether nothing of it remains within `timeout_s`."""
        return eventually(lambda: not self.remains(), timeout_s)


def footprint(sandbox_id: str, pid: int) -> Footprint:
    """What the sandbox occupies in which process `pid` runs."""
    ours = set(_cgroups(os.getpid()))
    cgroups = frozenset(path for path in _cgroups(pid) if path not in ours and path.exists())
    options = [word for line in _mountinfo(pid) if line[4] == "/" for word in line[-1].split(",")]
    layers = (Path(word.partition("=")[2]) for word in options if word.startswith(("upperdir=", "workdir=")))
    namespace = _link(f"/proc/{pid}/ns/pid")
    inside = {other: _started(other) for other in _pids() if _link(f"/proc/{other}/ns/pid") == namespace}
    alive = frozenset((other, started) for other, started in inside.items() if started)
    return Footprint(sandbox_id, alive, cgroups, frozenset(path for path in layers if path.exists()))


def mounts() -> list[str]:
    """The host's mount table."""
    return Path("/proc/self/mounts").read_text().splitlines()


def cgroup_dirs() -> Iterator[Path]:
    """Every control group of the host."""
    for folder, _, _ in os.walk("/sys/fs/cgroup"):
        yield Path(folder)


def temporary_files() -> Iterator[Path]:
    """Files and folders that somebody left where temporary ones go, three levels deep."""
    for place in ("/tmp", "/var/tmp", "/dev/shm", "/run", str(Path.home() / ".cache")):
        for folder, names, files in os.walk(place):
            yield from (Path(folder, name) for name in names + files)
            if folder.count("/") - place.count("/") >= 2:
                names.clear()


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if int(path.name) != os.getpid()]


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:  # it ended while we looked, or it is not ours to read
        return b""


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Clock ticks since boot; "" for no process, or one that has ended and is not reaped yet."""
    fields = _read(f"/proc/{pid}/stat").decode(errors="replace").rpartition(")")[2].split()
    return fields[19] if fields and fields[0] not in "ZX" else ""


def _status(pid: int, key: str) -> str:
    for line in _read(f"/proc/{pid}/status").decode().splitlines():
        if line.startswith(f"{key}:"):
            return line.partition(":")[2].strip()
    return ""


def _mountinfo(pid: int | str) -> list[list[str]]:
    return [line.split() for line in _read(f"/proc/{pid}/mountinfo").decode().splitlines()]


def _cgroups(pid: int) -> Iterator[Path]:
    """Folders under /sys/fs/cgroup of the groups that `pid` is in."""
    hierarchies = [line for line in _mountinfo("self") if line[line.index("-") + 1] in ("cgroup", "cgroup2")]
    for line in _read(f"/proc/{pid}/cgroup").decode().splitlines():
        _, controllers, path = line.split(":", 2)
        for mount in hierarchies:
            kind, options = mount[mount.index("-") + 1], mount[-1].split(",")
            if kind == "cgroup2" if not controllers else set(controllers.split(",")) <= set(options):
                yield Path(mount[4]) / os.path.relpath(path, mount[3])
