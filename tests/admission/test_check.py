"""`agentgym tasks check`: what it prints, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentgym import backends
from agentgym.admission import Admission
from agentgym.cli.main import call
from agentgym.errors import SandboxUnavailable
from agentgym.protocols import Backend, Image, Sandbox, SandboxSpec
from tests.admission.test_admit import make_task


def check(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = call(["tasks", "check", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_admitted_and_refused(backend: Backend, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound, unsolved = make_task(tmp_path / "sound"), make_task(tmp_path / "unsolved", solve="false")
    report = tmp_path / "report.json"
    options = ["--quick", "--sandbox", backend.name]
    code, out, err = check(capsys, str(sound.path), *options, "--json", str(report))
    assert code == 0
    assert out.splitlines()[2].split()[:5] == ["sound", "admitted", "1", "0", "0/0"]
    assert "[1/1] admitted  sound" in err
    assert "1 admitted in" in err
    [written] = json.loads(report.read_text())["admissions"]
    assert Admission.model_validate(written).verdict == "admitted"
    code, out, err = check(capsys, str(sound.path), str(unsolved.path), *options, "--json", "-")
    assert code == 1
    assert [one["verdict"] for one in json.loads(out)["admissions"]] == ["admitted", "refused"]
    assert "1 admitted, 1 refused in" in err


def test_no_such_task(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = check(capsys, "no-such-task")
    assert (code, out) == (2, "")
    assert 'found no task "no-such-task"' in err
    assert check(capsys, "--sandbox", "namespace", str(Path(__file__).parent))[0] == 2


class DownBackend:
    """A backend whose machine does not work."""

    name = "down"

    def build(self, context: Path, *, timeout_s: float = 600.0, memory_mb: int = 4096) -> Image:
        return Image("down", "image")

    def create(self, spec: SandboxSpec) -> Sandbox:
        raise SandboxUnavailable("the engine is down")


def test_infrastructure(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither admitted nor refused."""
    monkeypatch.setattr(backends, "make_backend", lambda name: DownBackend())
    code, out, err = check(capsys, str(make_task(tmp_path).path))
    assert code == 3
    assert "unknown: " in out
    assert "the engine is down" in out
    assert "1 unknown in" in err
