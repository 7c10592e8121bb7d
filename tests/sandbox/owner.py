"""A program that owns sandboxes and ends badly: `python -m tests.sandbox.owner BACKEND HOW MARKER CONTEXT`.

It starts sandboxes with a command in the background (`sleep MARKER`), one in the foreground where HOW says so, and
prints one JSON line once all of that runs; then it waits for a line, and ends. CONTEXT is a folder whose Dockerfile
takes long to build.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

from agentgym.protocols import Sandbox, SandboxSpec
from tests.sandbox.backends import make_backend
from tests.sandbox.host import eventually, processes

BASE = Path(__file__).parent.parent / "data" / "base"


def main(name: str, how: str, marker: str, context: str) -> None:
    backend = make_backend(name)
    sandboxes = [backend.create(SandboxSpec(image=backend.build(BASE), ttl_s=120.0)) for _ in range(2)]
    for sandbox in sandboxes:
        sandbox.start()
        sandbox.exec(f"trap '' TERM INT HUP; setsid sleep {marker} >/dev/null 2>&1 &")
        sandbox.shell().run("true")
    sandboxes.append(sandboxes[0].fork())
    sandboxes[-1].exec(f"setsid sleep {marker} >/dev/null 2>&1 &")
    if how == "build":
        threading.Thread(target=report, args=(sandboxes, marker, len(sandboxes) + 1), daemon=True).start()
        backend.build(Path(context))
    if how == "wait":
        threading.Thread(target=report, args=(sandboxes, marker, len(sandboxes) + 1), daemon=True).start()
        sandboxes[1].exec(f"sleep {marker}", timeout_s=600)
    report(sandboxes, marker, len(sandboxes))
    if how == "child":
        fork_a_child(sandboxes[0])
    sys.stdin.readline()
    if how == "raise":
        raise RuntimeError("as programs do")


def report(sandboxes: list[Sandbox], marker: str, running: int) -> None:
    """Print what runs, once it does."""
    if eventually(lambda: len(processes(f"sleep\0{marker}")) >= running, timeout_s=60):
        print(json.dumps([sandbox.id for sandbox in sandboxes]), flush=True)


def fork_a_child(sandbox: Sandbox) -> None:
    """What a forked child does at its exit must not touch the sandboxes of its parent."""
    if not (child := os.fork()):
        sys.exit(0)
    os.waitpid(child, 0)
    print(json.dumps(sandbox.exec("echo unharmed").stdout), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
