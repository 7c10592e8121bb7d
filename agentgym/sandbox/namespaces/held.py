"""A running sandbox as the supervisor knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Held:
    """One running sandbox."""

    bwrap: int
    """pidfd of bwrap itself, a child of ours."""
    root: str
    """Folder in this mount namespace: `rw/` (one upper and one work folder a mount) and `merged/`."""
    mounts: list[dict[str, Any]]
    cgroups: list[str]
    job_parent: str | None
    """The one of `cgroups` below which every command gets a group of its own."""
    joined: list[int]
    """Descriptors through which a command joins the others (`worker.open_cgroup`)."""
    namespaces: int
    """Flags of those that a command joins."""
    ends_at: float
    init: int = -1
    """pidfd of the sandbox's pid 1."""
    pid_namespace: int = 0
    """Its inode."""
