"""Sandbox backends by name, and the image a task needs."""

from __future__ import annotations

from agentgym.errors import UsageError
from agentgym.protocols import Backend, Image
from agentgym.task import Task

NAMES = ("namespaces", "docker")


def make_backend(name: str) -> Backend:
    """UsageError for a name that is none of NAMES; whether it works here is `doctor`'s to say."""
    if name == "namespaces":
        from agentgym.sandbox.namespaces.backend import NamespacesBackend

        return NamespacesBackend()
    if name == "docker":
        from agentgym.sandbox.docker.backend import DockerBackend

        return DockerBackend()
    raise UsageError(f"no sandbox backend is called {name!r}; there are {' and '.join(NAMES)}")


def build_image(task: Task, backend: Backend) -> Image:
    """From environment/Dockerfile, or what [environment] docker_image names. Raises ImageError, SandboxError."""
    environment = task.config.environment
    if task.environment_dir and (task.environment_dir / "Dockerfile").is_file():
        return backend.build(task.environment_dir, timeout_s=environment.build_timeout_sec)
    assert environment.docker_image is not None  # load_task refuses a task with neither
    return backend.image(environment.docker_image)
