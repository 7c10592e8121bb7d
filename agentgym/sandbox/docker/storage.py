"""storage_mb where the engine's storage driver has no quota: measure what containers hold, end what writes too much.

A stand-in for a quota, and weaker: a single file cannot outgrow the limit (RLIMIT_FSIZE, set by the sandbox), but all
files together can for as long as one round takes. Then every process of the sandbox is killed; its files stay, and
commands that do not add to them (`rm` above all) are left alone.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from typing import Any, Protocol

from agentgym.errors import SandboxError
from agentgym.sandbox.docker.engine import engine_errors

logger = logging.getLogger(__name__)

INTERVAL_S = 1.0
"""Between two rounds; ten times as long as the last round took, where that is more."""


class Watched(Protocol):
    """A running sandbox."""

    id: str

    def storage_limit_bytes(self) -> int: ...

    def kill_for_storage(self) -> None:
        """Kill every process in it."""


class StorageWatch:
    """One thread for all sandboxes of a backend; it ends with the last of them."""

    def __init__(self, api: Any) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._sandboxes: weakref.WeakSet[Watched] = weakref.WeakSet()
        self._changed = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen_bytes: weakref.WeakKeyDictionary[Watched, int] = weakref.WeakKeyDictionary()
        """What each held in the last round."""

    def add(self, sandbox: Watched) -> None:
        with self._lock:
            self._sandboxes.add(sandbox)
            if self._thread is None:
                self._changed.clear()
                self._thread = threading.Thread(target=self._run, name="agentgym-storage", daemon=True)
                self._thread.start()

    def remove(self, sandbox: Watched) -> None:
        with self._lock:
            self._sandboxes.discard(sandbox)
            if not self._sandboxes:
                self._changed.set()

    def _run(self) -> None:
        pause_s = INTERVAL_S
        while True:
            self._changed.wait(pause_s)
            with self._lock:
                self._changed.clear()
                if not self._sandboxes:
                    self._thread = None
                    return
            started = time.monotonic()
            try:
                self._round()
            except SandboxError as error:
                logger.warning("storage limits are not watched at the moment: %s", error)
            pause_s = max(INTERVAL_S, 10 * (time.monotonic() - started))

    def _round(self) -> None:
        with self._lock:
            watched = {sandbox.id: sandbox for sandbox in self._sandboxes}
        with engine_errors("measure sandboxes"):
            held = self._api.containers(size=True, filters={"name": list(watched)})
        for container in held:
            sandbox = watched.get(container["Names"][0].lstrip("/"))
            if sandbox is None:
                continue
            held_bytes = container.get("SizeRw", 0)
            if held_bytes > max(sandbox.storage_limit_bytes(), self._seen_bytes.get(sandbox, 0)):
                sandbox.kill_for_storage()
            self._seen_bytes[sandbox] = held_bytes
