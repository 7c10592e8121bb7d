"""`agentgym sandbox prune`."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym import backends
from agentgym.cli.main import call
from agentgym.errors import SandboxUnavailable


class Pruned:
    """As much of a backend as prune asks."""

    def __init__(self, name: str, *removed: str) -> None:
        self.name = name
        self._removed = removed

    def prune(self, *, images: bool = False) -> list[str]:
        if self.name == "docker":
            raise SandboxUnavailable("no engine answers")
        return [*self._removed, *(["layer x"] if images else [])]


@pytest.fixture(autouse=True)
def use(monkeypatch: pytest.MonkeyPatch) -> None:
    def make_backend(name: str) -> Any:
        return Pruned(name, "cgroup y")

    monkeypatch.setattr(backends, "make_backend", make_backend)


def test_prune_goes_on_where_one_backend_does_not_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["sandbox", "prune"]) == 0
    streams = capsys.readouterr()
    assert streams.out == "namespaces: cgroup y\n"
    assert streams.err == "warning: docker: no engine answers\n1 removed\n"


def test_prune_images(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["sandbox", "prune", "--images", "--sandbox", "namespaces"]) == 0
    assert capsys.readouterr().out == "namespaces: cgroup y\nnamespaces: layer x\n"


def test_the_backend_that_was_asked_for_must_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["sandbox", "prune", "--sandbox", "docker"]) == 3
    assert capsys.readouterr().err == "error: no engine answers\n"
