"""What the labels of a container say: who owns it and how long it may live. Knows no engine."""

from __future__ import annotations

import datetime
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from agentgym.sandbox.owner import owner_is_alive, owner_key

OWNER_PID = "agentgym.owner_pid"
OWNER_START = "agentgym.owner_start"
"""When the owner started, in clock ticks since boot: a later process with the same pid is not the owner."""
OWNER_HOST = "agentgym.owner_host"
"""Machine and pid namespace that owner_pid counts in: an engine may serve several."""
CREATED_AT = "agentgym.created_at"
TTL_S = "agentgym.ttl_s"
IMAGE = "agentgym.image"
"""On images: "true" of those that `build` made, "snapshot" of the others."""


def container_labels(own: Mapping[str, str], ttl_s: float) -> dict[str, str]:
    """`own` and the owner's, for a container that this process creates now, and for its snapshots."""
    pid, _, start = owner_key(os.getpid()).partition("-")
    return {
        **own,
        OWNER_PID: pid,
        OWNER_START: start,
        OWNER_HOST: _host(),
        CREATED_AT: datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
        TTL_S: f"{ttl_s:g}",
    }


def why_stale(labels: Mapping[str, str], state: str) -> str:
    """Why nobody needs the container any more; "" when somebody does. `state`: the engine's word for it."""
    if state in ("exited", "dead"):
        return state
    if labels.get(OWNER_HOST) == _host() and not owner_is_alive(f"{labels.get(OWNER_PID)}-{labels.get(OWNER_START)}"):
        return f"owner {labels.get(OWNER_PID)} is dead"
    if _age_s(labels) > float(labels.get(TTL_S, "0")):
        return "ttl is over"
    return ""


def _age_s(labels: Mapping[str, str]) -> float:
    created = datetime.datetime.fromisoformat(labels.get(CREATED_AT, "1970-01-01T00:00:00+00:00"))
    return (datetime.datetime.now(datetime.UTC) - created).total_seconds()


def _host() -> str:
    return f"{socket.gethostname()}/{Path('/proc/self/ns/pid').readlink()}"
