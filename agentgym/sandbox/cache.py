"""Where this machine keeps what was built: images, installed agents."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """Where it is kept: $AGENTGYM_CACHE, or agentgym in the user's cache folder."""
    root = os.environ.get("AGENTGYM_CACHE") or Path(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "agentgym"
    )
    return Path(root)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One builder a folder of the cache, over all processes of the machine."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    locks = folder.parent.parent / "locks"
    locks.mkdir(exist_ok=True)
    with (locks / folder.name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
