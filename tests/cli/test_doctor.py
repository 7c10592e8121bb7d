"""`agentgym doctor`, with backends that work, that do not, and that cannot even say so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentgym import backends
from agentgym.cli.main import call
from agentgym.errors import SandboxUnavailable
from agentgym.protocols import Check


class Asked:
    """As much of a backend as doctor asks."""

    def __init__(self, name: str, *checks: Check) -> None:
        self.name = name
        self._checks = checks

    def doctor(self) -> list[Check]:
        if not self._checks:
            raise SandboxUnavailable("the engine does not answer; start it")
        return list(self._checks)


@pytest.fixture(autouse=True)
def small_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "layer").write_bytes(b"x" * 50_000)
    (cache / "again").hardlink_to(cache / "layer")
    monkeypatch.setenv("AGENTGYM_CACHE", str(cache))


def use(monkeypatch: pytest.MonkeyPatch, **found: Asked) -> None:
    def make_backend(name: str) -> Any:
        return found[name]

    monkeypatch.setattr(backends, "make_backend", make_backend)


WORKS = Check("engine", True, "1.2")
FAILS = Check("kernel", False, "Linux 4.4; wanted 6.6")


def test_one_backend_is_enough(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    use(monkeypatch, namespaces=Asked("namespaces", WORKS, FAILS), docker=Asked("docker", WORKS))
    assert call(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "Linux 4.4; wanted 6.6" in out
    assert "namespaces" in out
    assert [line.split() for line in out.splitlines() if line.startswith("works")] == [["works", "docker"]]


def test_no_backend_is_exit_code_3(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    use(monkeypatch, namespaces=Asked("namespaces", FAILS), docker=Asked("docker"))
    assert call(["doctor"]) == 3
    out = capsys.readouterr().out
    assert "the engine does not answer; start it" in out
    assert "no sandbox backend works here" in out


def test_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    use(monkeypatch, namespaces=Asked("namespaces", FAILS), docker=Asked("docker", WORKS))
    assert call(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["backends"] == {
        "namespaces": {"works": False, "checks": [{"name": "kernel", "ok": False, "detail": "Linux 4.4; wanted 6.6"}]},
        "docker": {"works": True, "checks": [{"name": "engine", "ok": True, "detail": "1.2"}]},
    }
    assert {"agentgym", "python", "gymnasium"} <= set(told["versions"])
    assert told["extras"]["mcp"] in (True, False)
    assert {"bash", "oracle"} <= set(told["scaffolds"])
    assert told["cache"]["folder"] == str(tmp_path / "cache")
    assert 50_000 <= told["cache"]["bytes"] < 100_000
