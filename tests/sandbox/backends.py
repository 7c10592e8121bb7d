"""Backends by name, for fixtures and for the programs that tests start."""

from __future__ import annotations

from agentgym.protocols import Backend


def make_backend(name: str) -> Backend:
    """The backend called `name`; only its own module is imported, as the docker SDK takes a third of a second."""
    if name == "namespaces":
        from agentgym.sandbox.namespaces.backend import NamespacesBackend

        return NamespacesBackend()
    from agentgym.sandbox.docker.backend import DockerBackend

    return DockerBackend()
