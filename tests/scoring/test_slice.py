"""A slice of the suite scored for real: under three agents of somebody else with scripts for a model, and under a white-box
scaffold with a language model of 135 million parameters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from agentgym.backends import build_image
from agentgym.cli.main import call
from agentgym.entry import make_scaffold
from agentgym.errors import ImageError, SandboxError, UsageError
from agentgym.protocols import Backend
from agentgym.rollout import Job, rollout
from agentgym.scaffold import MountingScaffold
from agentgym.scoring.checklist import read_checklist
from agentgym.scoring.score import score
from agentgym.store import TrajectoryStore
from agentgym.synthesis.octo.breaking import together
from agentgym.synthesis.octo.conduct import Conduct
from agentgym.synthesis.octo.draft import Draft
from agentgym.synthesis.octo.grammar import drafts
from agentgym.synthesis.octo.script import replies
from agentgym.task import Task, load_task
from agentgym.trajectory import Trajectory
from tests.require import unavailable
from tests.scoring.suites import CHECKLIST
from tests.scoring.translated import Player
from tests.tasks import vary

SUITE = Path(__file__).parents[2] / "tasks" / "octo"
SLICE = (
    ("claude-code", "addict-single-03"),
    ("claude-code", "cachetools-turns-41"),
    ("claude-code", "addict-user-vs-system-23"),
    ("kilo", "addict-user-vs-system-23"),
    ("kilo", "cachetools-turns-01"),
    ("droid", "addict-user-vs-system-23"),
    ("droid", "addict-system-vs-project-12"),
)
"""None has a breach that its agent prevents: Kilo edits no file unread, Droid gives up on a model that repeats itself."""


def built(agent: str, name: str, backend: Backend) -> Task:
    """A task of the suite whose image can be built here, for an agent that can be installed here."""
    task, scaffold = load_task(SUITE / name), make_scaffold(agent)
    try:
        if isinstance(scaffold, MountingScaffold):
            scaffold.mounts(backend)
        build_image(task, backend)
    except (UsageError, ImageError, SandboxError) as error:  # no network to install it from
        unavailable("agents", str(error))
    return task


def played(agent: str, task: Task, draft: Draft, conducts: Sequence[Conduct], backend: Backend) -> Trajectory:
    model = Player(agent, replies(draft.turns, conducts))
    trajectory = rollout(Job(task, make_scaffold(agent), model), backend)
    assert trajectory.error is None
    return score(read_checklist(task), trajectory)


def not_passed(trajectory: Trajectory) -> set[str]:
    """Items that programs decide."""
    assert trajectory.outcome is not None
    return {v.item for v in trajectory.outcome.checklist if v.kind != "judge" and v.result != "pass"}


@pytest.mark.agents
@pytest.mark.parametrize(("agent", "name"), SLICE)
def test_an_agent_keeps_the_rules_and_breaks_them_as_its_model_says(agent: str, name: str, backend: Backend) -> None:
    [draft] = [draft for draft in drafts() if draft.name == name]
    task = built(agent, name, backend)
    kept = played(agent, task, draft, draft.compliant(), backend)
    assert kept.reward == 1.0
    assert not_passed(kept) == set()
    breaches = together(draft.breaches())[0]
    broken = played(agent, task, draft, draft.conducts(breaches), backend)
    assert not_passed(broken) == {item for breach in breaches for item in breach.items}
    assert broken.outcome is not None
    assert broken.outcome.compliance is not None
    assert broken.outcome.compliance.isr is False
    places = [e for v in broken.outcome.checklist if v.result == "fail" for e in v.evidence]
    assert all(e.turn is None or 0 <= e.turn < len(broken.turns) for e in places)


@pytest.mark.agents
def test_a_small_language_model_is_scored_on_the_suite(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = built("tools", "addict-single-03", backend)
    assert small_model_scored(str(task.path), tmp_path, monkeypatch, capsys) <= {"fail", "error"}


def test_a_small_language_model_is_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = vary(tmp_path / "tasks" / "greet", {"checklist.toml": CHECKLIST})
    config = task.path / "task.toml"  # few tools, so that there is little to read
    config.write_text(config.read_text().replace('grading = "diff"', 'grading = "diff"\ntools = ["bash", "submit"]'))
    assert small_model_scored("tasks/greet", tmp_path, monkeypatch, capsys) <= {"fail", "error"}


def small_model_scored(
    task: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> set[str]:
    """What was found of its items. It does not get far in one turn, and what is not on record is never a pass."""
    monkeypatch.chdir(folder)
    arguments = ["--option", "max_tokens=12", "--option", "seed=1", "--max-turns", "1", "--out", "r.jsonl", "--json"]
    assert call(["score", task, "--scaffold", "tools", "--model", "policy:smollm2", *arguments]) == 0
    [agent] = json.loads(capsys.readouterr().out)["agents"]
    assert (agent["scaffold"], agent["summary"]["n_runs"], agent["summary"]["n_failed"]) == ("tools", 1, 1)
    assert agent["summary"]["isr"]["value"] == agent["summary"]["csr_micro"]["value"] == 0.0
    [trajectory] = TrajectoryStore(folder / "r.jsonl")
    assert all(call.tokens is not None for call in trajectory.calls)  # they can be trained on
    assert trajectory.outcome is not None
    return {verdict.result for verdict in trajectory.outcome.checklist}
