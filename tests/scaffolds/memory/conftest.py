"""An episode at its start, in whose sandbox tests leave what memories read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentgym.env import Episode
from agentgym.protocols import Backend, ToolContext
from agentgym.task import load_task
from tests.tasks import TASKS, vary

Setup = Callable[[str], None]


@pytest.fixture
def episode(backend: Backend) -> Iterator[Episode]:
    """In /app, as root."""
    episode = Episode(load_task(TASKS / "greet"), backend)
    episode.start()
    yield episode
    episode.close()


@pytest.fixture
def humble(backend: Backend, tmp_path: Path) -> Iterator[Episode]:
    """In /app, as a user without rights."""
    episode = Episode(vary(tmp_path / "task", toml='\n[agent]\nuser = "nobody"\n'), backend)
    episode.start()
    yield episode
    episode.close()


@pytest.fixture
def setup(episode: Episode) -> Setup:
    """setup(script): run in /app of `episode`, and has to succeed."""

    def setup(script: str) -> None:
        done = episode.sandbox.exec(script)
        assert done.exit_code == 0, done.stderr

    return setup


@pytest.fixture
def context(episode: Episode) -> ToolContext:
    return ToolContext(sandbox=episode.sandbox, workdir=episode.workdir, timeout_s=10.0)
