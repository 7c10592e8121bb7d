"""A started sandbox, and the context in which tools are called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentgym.protocols import ToolContext
from agentgym.tools import ToolPool
from tests.tools.local_sandbox import LocalSandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[LocalSandbox]:
    sandbox = LocalSandbox(tmp_path)
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def context(sandbox: LocalSandbox) -> Iterator[ToolContext]:
    context = ToolContext(sandbox=sandbox, workdir=sandbox.workdir, timeout_s=20.0)
    yield context
    ToolPool().close(context)


@pytest.fixture
def work(sandbox: LocalSandbox) -> Path:
    """The work folder, as the test itself sees it."""
    return Path(sandbox.workdir)
