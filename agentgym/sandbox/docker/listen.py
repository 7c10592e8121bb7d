"""A socket inside a container's network, made out here: the engine has no call for that.

A thread enters the network, makes the socket and ends; no other thread of this process ever leaves its own.
"""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from agentgym.errors import SandboxError

_WAY_OUT = "run agentgym as root on the engine's own machine, or take --sandbox namespaces"


def listen(network: Path, port: int) -> socket.socket:
    """A TCP socket on 127.0.0.1:`port` in `network`, the file by which the engine keeps it. Raises SandboxError."""
    with ThreadPoolExecutor(1, "agentgym-listen") as threads:
        return threads.submit(_enter_and_listen, network, port).result()


def _enter_and_listen(network: Path, port: int) -> socket.socket:
    try:
        from agentgym.sandbox.namespaces import linux  # loads on Linux alone

        with network.open() as file:
            linux.setns(file.fileno(), linux.CLONE_NEWNET)
    except OSError as error:
        raise SandboxError(f"docker: the container's network cannot be entered ({error}): {_WAY_OUT}") from None
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise SandboxError(f"docker: {error}") from None


def why_not(info: dict[str, Any]) -> str:
    """Why `listen` cannot work with the engine that says `info` about itself; "" when it can."""
    if info["Name"] != socket.gethostname():
        return f"the engine is on {info['Name']}, this is {socket.gethostname()}: {_WAY_OUT}"
    return "" if os.geteuid() == 0 else f"this is no root: {_WAY_OUT}"
