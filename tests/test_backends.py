"""Backends by name, and the image a task needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentgym.backends import NAMES, build_image, make_backend
from agentgym.errors import ImageError, UsageError
from agentgym.protocols import Backend
from agentgym.task import load_task
from tests.tasks import TASKS, vary


@pytest.mark.parametrize("name", NAMES)
def test_make_backend(name: str) -> None:
    assert make_backend(name).name == name


def test_unknown_backend() -> None:
    with pytest.raises(UsageError, match="'podman'; there are namespaces and docker"):
        make_backend("podman")


def test_image_of_a_dockerfile(backend: Backend) -> None:
    task = load_task(TASKS / "greet")
    image = build_image(task, backend)
    assert (image.backend, image.workdir, image.user) == (backend.name, "/app", "root")
    assert build_image(task, backend).ref == image.ref


def test_prebuilt_image(backend: Backend, tmp_path: Path) -> None:
    folder = tmp_path / "task"
    vary(folder, toml='docker_image = "python:3.11-bookworm"\n')
    (folder / "environment" / "Dockerfile").unlink()
    assert build_image(load_task(folder), backend).backend == backend.name
    config = (folder / "task.toml").read_text()
    (folder / "task.toml").write_text(config.replace("python:3.11-bookworm", "registry.invalid/no-such:1"))
    with pytest.raises(ImageError, match="no-such"):
        build_image(load_task(folder), backend)


def test_a_dockerfile_wins_over_a_prebuilt_image(backend: Backend, tmp_path: Path) -> None:
    task = vary(tmp_path / "task", toml='docker_image = "registry.invalid/no-such:1"\n')
    assert build_image(task, backend).workdir == "/app"


def test_failing_dockerfile(backend: Backend, tmp_path: Path) -> None:
    task = vary(
        tmp_path / "task", {"environment/Dockerfile": "FROM python:3.11-bookworm\nRUN echo broken >&2; exit 3\n"}
    )
    with pytest.raises(ImageError, match="exit 3"):
        build_image(task, backend)
