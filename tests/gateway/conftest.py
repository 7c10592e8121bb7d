"""Served gateways that are always closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from agentgym.protocols import Model
from tests.gateway.served import Served, Speaker


@pytest.fixture
def serve() -> Iterator[Callable[[Model], Served]]:
    """serve(model): a session of it at an address."""
    with ExitStack() as stack:
        yield lambda model: stack.enter_context(Served(model))


@pytest.fixture
def served(serve: Callable[[Model], Served]) -> Served:
    """A session of a model that says hello."""
    return serve(Speaker())
