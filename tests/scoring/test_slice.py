"""A slice of what `agentgym score` does, for real: Claude Code with a scripted model, and a white-box scaffold with a
language model of 135 million parameters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentgym.cli.main import call
from agentgym.entry import make_scaffold
from agentgym.errors import SandboxError, UsageError
from agentgym.protocols import Backend, StopReason
from agentgym.rollout import Job, rollout
from agentgym.scaffold import MountingScaffold
from agentgym.scoring.checklist import read_checklist
from agentgym.scoring.score import score
from agentgym.store import TrajectoryStore
from agentgym.task import Task, load_task
from agentgym.trajectory import Trajectory
from tests.require import unavailable
from tests.scaffolds.external.agents import playing, shell
from tests.scaffolds.sources import instructed
from tests.tasks import vary

CHECKLIST = """
[[items]]
id = "says-zorp"
source = "system_prompt"
statement = "Say zorp in every turn."
persistence = "every_turn"
check = {kind = "text_matches", pattern = "zorp"}

[[items]]
id = "reminder-hidden"
source = "system_reminder"
statement = "Do not tell the user of the reminder."
check = {kind = "no_reminder_leak"}

[[items]]
id = "log-changed"
source = "user_query"
statement = "Change log.txt."
check = {kind = "path_changed", paths = ["log.txt"]}

[[items]]
id = "rules-kept"
source = "project_file"
file = "AGENTS.md"
statement = "Leave AGENTS.md as it is."
check = {kind = "path_untouched", paths = ["AGENTS.md"]}

[[items]]
id = "notes-read"
source = "memory"
file = "notes/memory.md"
statement = "Read the notes."
check = {kind = "command_used", pattern = "notes/memory.md"}

[[items]]
id = "arguments"
source = "tool_schema"
statement = "Arguments match the schema."
check = {kind = "arguments_match_schema"}
"""
READ, HELLO, AGAIN = "cat notes/memory.md", "echo hello >> log.txt", "echo again >> log.txt"


def scored(task: Task, backend: Backend, *script: str) -> Trajectory:
    """By Claude Code; what begins with $ is a command."""
    scaffold = make_scaffold("claude-code")
    assert isinstance(scaffold, MountingScaffold)
    try:
        scaffold.mounts(backend)
    except (UsageError, SandboxError) as error:  # no network to install it from
        unavailable("agents", str(error))
    said = [shell("claude-code", f"cd /app && {line[2:]}") if line.startswith("$ ") else line for line in script]
    return score(read_checklist(task), rollout(Job(task, scaffold, playing(*said)), backend))


def results(trajectory: Trajectory) -> dict[str, str]:
    assert trajectory.outcome is not None
    return {verdict.item: verdict.result for verdict in trajectory.outcome.checklist}


@pytest.mark.agents
def test_claude_code_is_scored_item_by_item(tmp_path: Path, backend: Backend) -> None:
    instructed(tmp_path / "task")
    (tmp_path / "task" / "checklist.toml").write_text(CHECKLIST)
    task = load_task(tmp_path / "task")
    kept = scored(task, backend, f"$ {READ}", f"$ {HELLO}", "Done: zorp.", f"$ {AGAIN}", "zorp, and done.")
    assert (kept.stop_reason, kept.reward) == (StopReason.SUBMITTED, 1.0)
    assert set(results(kept).values()) == {"pass"}
    broken = scored(task, backend, f"$ {HELLO}", "Done: zorp.", f"$ {AGAIN}; echo x >> AGENTS.md", "Done.")
    assert broken.reward == 1.0
    fails = {item for item, result in results(broken).items() if result == "fail"}
    assert fails == {"says-zorp", "rules-kept", "notes-read"}
    assert broken.outcome is not None
    verdicts = {verdict.item: verdict for verdict in broken.outcome.checklist}
    assert verdicts["says-zorp"].by_query == ("pass", "fail")
    assert 2 in {evidence.turn for evidence in verdicts["rules-kept"].evidence}
    assert [kept.outcome and kept.outcome.compliance and kept.outcome.compliance.isr] == [True]
    assert broken.outcome.compliance is not None
    assert broken.outcome.compliance.isr is False


def test_a_small_language_model_is_scored_under_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It does not get far in one turn; what is not on record is never a pass."""
    monkeypatch.chdir(tmp_path)
    task = vary(
        tmp_path / "tasks" / "greet", {"checklist.toml": CHECKLIST.partition('\n[[items]]\nid = "rules-kept"')[0]}
    )
    config = task.path / "task.toml"  # few tools, so that there is little to read
    config.write_text(config.read_text().replace('grading = "diff"', 'grading = "diff"\ntools = ["bash", "submit"]'))
    arguments = ["--option", "max_tokens=12", "--option", "seed=1", "--max-turns", "1", "--out", "r.jsonl", "--json"]
    assert call(["score", "tasks/greet", "--scaffold", "tools", "--model", "policy:smollm2", *arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    [agent] = report["agents"]
    assert (agent["scaffold"], agent["summary"]["n_runs"], agent["summary"]["n_failed"]) == ("tools", 1, 1)
    assert agent["summary"]["isr"]["value"] == 0.0
    assert agent["summary"]["csr_micro"]["value"] == 0.0
    [trajectory] = TrajectoryStore(tmp_path / "r.jsonl")
    assert all(call.tokens is not None for call in trajectory.calls)  # they can be trained on
    assert set(results(trajectory).values()) <= {"fail", "error"}
