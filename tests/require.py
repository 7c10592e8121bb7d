"""What a machine may lack: skipped by default, a failure where AGENTGYM_REQUIRE says it must be there."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def unavailable(what: str, reason: str) -> NoReturn:
    """Skip the test; fail it when AGENTGYM_REQUIRE lists `what` (with commas: namespaces, docker, agents, browser)."""
    if what in os.environ.get("AGENTGYM_REQUIRE", "").split(","):
        pytest.fail(f"AGENTGYM_REQUIRE lists {what}, but: {reason}", pytrace=False)
    pytest.skip(f"{what}: {reason}")
