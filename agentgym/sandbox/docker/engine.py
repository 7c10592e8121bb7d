"""The Docker engine: how to reach it, and its failures said in our own errors. The only module that imports the SDK."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

from agentgym.errors import SandboxError, SandboxLost, SandboxUnavailable

REQUEST_TIMEOUT_S = 120.0
"""Longest silence of the engine during one request."""
SETUP = "as root: scripts/setup-docker.sh"


def connect(timeout_s: float = REQUEST_TIMEOUT_S, *, keep_alive: bool = False) -> Any:
    """A low-level client (docker.APIClient) of the engine that DOCKER_HOST names. Raises SandboxUnavailable.

    `keep_alive`: the engine notices when a connection breaks, and cancels its request (a build).
    """
    try:
        import docker
    except ModuleNotFoundError:
        raise SandboxUnavailable("the Python package `docker` is missing: pip install docker") from None
    try:
        _knock(os.environ.get("DOCKER_HOST") or docker.constants.DEFAULT_UNIX_SOCKET)
        api = docker.from_env(timeout=timeout_s).api
    except (docker.errors.DockerException, OSError) as error:
        raise SandboxUnavailable(f"no Docker engine answers ({_brief(error)}): start one ({SETUP})") from None
    if not keep_alive:
        # the SDK would keep a connection open for each of the last 25 URLs, and every container has URLs of its own
        api.headers["Connection"] = "close"
    return api


def _knock(url: str) -> None:
    """Raise OSError if nobody listens on a local socket; the SDK would leave one of its own open when it finds out."""
    path = url.removeprefix("http+").removeprefix("unix://")
    if path.startswith("/"):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(path)


@contextlib.contextmanager
def engine_errors(what: str) -> Iterator[None]:
    """Turn what the SDK raises into SandboxLost (the container is gone) or SandboxError."""
    import docker.errors
    import requests.exceptions

    try:
        yield
    except docker.errors.APIError as error:
        kind = SandboxLost if is_gone(error) else SandboxError
        raise kind(f"{what}: {_brief(error)}") from None
    except requests.exceptions.RequestException as error:
        raise SandboxError(f"{what}: the Docker engine did not answer: {_brief(error)}") from None


def is_gone(error: Exception) -> bool:
    """Whether the engine says that there is no such container (any more), or that it does not run; with a container go
    its execs."""
    status = getattr(error, "status_code", None)
    text = _brief(error).lower()
    if status == 500:  # an exec of a container that is about to end
        return "is not running" in text
    if status == 404:
        return "container" in text or "no such exec" in text
    return status == 409 and ("running" in text or "removal" in text)


def _brief(error: Exception) -> str:
    """The engine's own words, without the request's address."""
    return str(getattr(error, "explanation", None) or error).strip()
