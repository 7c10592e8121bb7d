"""What the runs of the solution and of doing nothing must show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentgym.admission import Finding, Run, checks
from agentgym.protocols import StopReason
from agentgym.task import Task, load_task
from agentgym.trajectory import Failure, TestVerdict

CONFIG = """
[metadata.agentgym]
grading = "diff"
protected = ["tests"]
[environment]
network_mode = "no-network"
"""
TESTS = '{"fail_to_pass": ["tests/test_a.py::test_new"], "pass_to_pass": ["tests/test_a.py::test_old"]}'


def make_task(folder: Path, *, config: str = CONFIG, tests: str = TESTS, instruction: str = "Repair it.") -> Task:
    for name, text in (
        ("task.toml", config),
        ("instruction.md", instruction),
        ("environment/Dockerfile", "FROM python:3.11-bookworm"),
        ("tests/test.sh", "true"),
        ("tests/tests.json", tests),
    ):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return load_task(folder)


def run(agent: str, new: TestVerdict, old: TestVerdict = "passed", **changes: Any) -> Run:
    facts: dict[str, Any] = {
        "agent": agent,
        "reward": float(new == old == "passed"),
        "stop_reason": StopReason.SUBMITTED,
        "fail_to_pass": {"tests/test_a.py::test_new": new},
        "pass_to_pass": {"tests/test_a.py::test_old": old},
        "wall_s": 1.0,
        "grading_s": 0.5,
    }
    return Run(**{**facts, **changes})


GOLD, NOP = run("gold", "passed"), run("nop", "failed")


def bad(findings: list[Finding]) -> dict[str, str]:
    return {finding.name: finding.detail for finding in findings if finding.status not in ("ok", "skipped")}


def test_a_sound_task(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    assert bad([*checks.settings(task), *checks.runs(task, [GOLD] * 3, [NOP] * 3)]) == {}


@pytest.mark.parametrize(
    ("gold", "nop", "name", "detail"),
    [
        ([GOLD, run("gold", "failed", repeat=1)], [NOP] * 2, "gold", "run 2: reward 0.0, wanted 1"),
        ([GOLD] * 2, [NOP, run("nop", "passed", repeat=1)], "nop", "run 2: reward 1.0, wanted 0"),
        ([GOLD] * 2, [NOP, run("nop", "failed", "failed")], "nop agrees", "flaky: tests/test_a.py::test_old"),
        ([GOLD], [run("nop", "missing")], "fail_to_pass", "do not fail without the fix: tests/test_a.py::test_new (missing)"),
        ([GOLD], [run("nop", "skipped")], "fail_to_pass", "do not fail without the fix: tests/test_a.py::test_new (skipped)"),
        ([GOLD], [run("nop", "missing", "missing")], "fail_to_pass", "no test ran at all"),
        ([GOLD], [run("nop", "failed", "failed")], "pass_to_pass", "do not pass under nop: tests/test_a.py::test_old (failed)"),
    ],
    ids=["gold", "nop", "flaky", "missing", "skipped", "collection", "pass_to_pass"],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, gold: list[Run], nop: list[Run], name: str, detail: str) -> None:
    found = {finding.name: finding for finding in checks.runs(make_task(tmp_path), gold, nop)}
    assert found[name].status == "refused"
    assert detail in found[name].detail


def test_infrastructure_is_unknown_not_refused(tmp_path: Path) -> None:
    failure = Failure(owner="sandbox", type="SandboxLost", message="it died")
    lost = run("gold", "missing", reward=None, stop_reason=StopReason.SANDBOX_LOST, failure=failure)
    found = {finding.name: finding for finding in checks.runs(make_task(tmp_path), [GOLD, lost], [NOP, NOP])}
    assert found["gold"].status == "unknown"
    assert found["gold"].detail == "gold: SandboxLost: it died"
    assert not [finding for finding in found.values() if finding.status == "refused"]


def test_no_verdict_is_the_verifiers_fault(tmp_path: Path) -> None:
    failure = Failure(owner="grader", type="GraderError", message="test.sh left no reward file")
    broken = run("nop", "missing", reward=None, stop_reason=StopReason.GRADER_ERROR, failure=failure)
    found = {finding.name: finding for finding in checks.runs(make_task(tmp_path), [GOLD], [broken])}
    assert found["nop"].status == "refused"
    assert "no reward (test.sh left no reward file)" in found["nop"].detail


def test_slow_grading(tmp_path: Path) -> None:
    slow = [run("gold", "passed", grading_s=11.0)]
    assert bad(list(checks.runs(make_task(tmp_path), slow, slow)))["grading time"] == "11.0 s"


def test_settings(tmp_path: Path) -> None:
    task = make_task(tmp_path / "a", config='[environment]\nmemroy_mb = 1\n[metadata.agentgym]\ngrading = "layer"\n')
    told = bad(list(checks.settings(task)))["settings"]
    assert "memroy_mb" in told
    assert "network_mode is not stated" in told
    assert 'grading = "layer"' in told
    task = make_task(tmp_path / "b", instruction="Make test_new pass.")
    assert bad(list(checks.settings(task))) == {"instruction": "names hidden tests: test_new"}


def test_tests_that_the_agent_can_rewrite(tmp_path: Path) -> None:
    config = CONFIG.replace('["tests"]', "[]")
    task = make_task(tmp_path, config=config)
    assert "the agent can rewrite tests/test_a.py" in bad(list(checks.settings(task)))["protected"]
    hidden = tmp_path / "tests" / "files" / "tests" / "test_a.py"
    hidden.parent.mkdir(parents=True)
    hidden.write_text("")
    assert bad(list(checks.settings(task))) == {}


def test_required_tests_come_in_both_kinds(tmp_path: Path) -> None:
    task = make_task(tmp_path / "a", tests='{"fail_to_pass": ["tests/test_a.py::test_new"], "pass_to_pass": []}')
    assert "found 1 fail_to_pass and 0 pass_to_pass" in bad(list(checks.settings(task)))["required tests"]
