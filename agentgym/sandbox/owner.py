"""Which process a sandbox belongs to, in a form that outlives the process."""

from __future__ import annotations

from pathlib import Path


def owner_key(pid: int) -> str:
    """PID-START: tells a process from a later one with the same pid. FileNotFoundError when there is none."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return f"{pid}-{stat.rpartition(')')[2].split()[19]}"


def owner_is_alive(key: str) -> bool:
    try:
        return owner_key(int(key.split("-")[0])) == key
    except (OSError, ValueError):
        return False
