"""How a sandbox is lost: its first process is killed from outside."""

from __future__ import annotations

import os
import signal

from tests.sandbox.host import eventually, gone, init_of, processes


def kill_sandbox(marker: str) -> None:
    """End the sandbox in which `sleep MARKER` runs, or is about to."""
    assert eventually(lambda: bool(processes(f"sleep\0{marker}")), timeout_s=30.0)
    os.kill(init_of(processes(f"sleep\0{marker}")[0]), signal.SIGKILL)
    assert gone(f"sleep\0{marker}", timeout_s=30.0)
