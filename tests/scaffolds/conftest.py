"""Episodes that are closed after the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.scaffolds.fakes import FakeEpisode, RootedSandbox, make_task


@pytest.fixture
def make_episode(tmp_path: Path) -> Iterator[Callable[..., FakeEpisode]]:
    """make_episode(solve=…, instructions=…, config=…, max_turns=…): an episode at its start."""
    with ExitStack() as stack:

        def make(
            *,
            solve: dict[str, str] | None = None,
            instructions: dict[str, str] | None = None,
            config: str = "",
            **options: Any,
        ) -> FakeEpisode:
            instructions = instructions or {"": "Fix $it, ${now}."}
            task = make_task(tmp_path / "task", solve=solve or {}, instructions=instructions, config=config)
            sandbox = RootedSandbox(tmp_path / "sandbox")
            sandbox.start()
            episode = FakeEpisode(task, sandbox, **options)
            stack.callback(sandbox.stop)
            stack.callback(episode.close)
            return episode

        yield make
