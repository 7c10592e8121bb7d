"""`SandboxSpec.mounts`, checked before a backend acts on them. Knows no backend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agentgym.errors import UsageError

_KERNELS = ("/proc", "/sys", "/dev")


def checked(mounts: Mapping[str, Path]) -> list[tuple[str, str]]:
    """(folder of the host, path inside), parents first. Raises UsageError."""
    for target, source in mounts.items():
        first, *names = target.split("/")
        if first or not names or any(name in ("", ".", "..") for name in names):
            raise UsageError(f"mount {target!r}: wanted an absolute path below /, without . and ..")
        if any(f"{target}/".startswith(f"{folder}/") for folder in _KERNELS):
            raise UsageError(f"mount {target}: /{names[0]} is the kernel's; mount it elsewhere, below /opt for one")
        if not source.is_dir():
            raise UsageError(f"mount {target}: {source} is no folder of this machine; name one that exists")
    return sorted(((str(source.resolve()), target) for target, source in mounts.items()), key=lambda pair: pair[1])
