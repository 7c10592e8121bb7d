"""The scaffolds in real episodes: a sandbox, a verifier, a trajectory that is kept and replayed."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentgym.models import ReplayModel, ScriptedModel
from agentgym.protocols import Backend, Model, StopReason
from agentgym.rollout import Job, rollout
from agentgym.scaffold import Scaffold
from agentgym.store import TrajectoryStore
from agentgym.task import Task
from agentgym.trajectory import Trajectory
from scaffolds import BashScaffold, NopScaffold, OracleScaffold
from tests.scaffolds.fakes import make_task

DOCKERFILE = "FROM python:3.11-bookworm\nWORKDIR /app\nRUN echo start > log.txt\n"
GRADE = "mkdir -p /logs/verifier; grep -qx {word} /app/log.txt; echo $((1 - $?)) > /logs/verifier/reward.txt\n"
WORK = ["```bash\ncd / && W=hello\n```", "hm", "```bash\npwd; echo $W >> /app/log.txt\n```", "```bash\nsubmit\n```"]


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """Write hello into a log; the solution says it as root."""
    task = make_task(
        tmp_path / "task",
        solve={"": 'echo "$WORD" >> log.txt; id -un >> log.txt'},
        instructions={"": "Append the line hello to log.txt."},
        config='[solution.env]\nWORD = "hello"\n',
    )
    (task.path / "environment" / "Dockerfile").write_text(DOCKERFILE)
    (task.path / "tests" / "test.sh").write_text(GRADE.format(word="hello"))
    return task


def run(task: Task, scaffold: Scaffold, backend: Backend, model: Model | None = None) -> Trajectory:
    return rollout(Job(task, scaffold, model), backend)


def test_the_oracle_solves_and_nop_does_not(task: Task, backend: Backend) -> None:
    solved, untouched = run(task, OracleScaffold(), backend), run(task, NopScaffold(), backend)
    assert (solved.stop_reason, solved.reward, solved.error) == (StopReason.SUBMITTED, 1.0, None)
    assert (untouched.stop_reason, untouched.reward, untouched.error) == (StopReason.SUBMITTED, 0.0, None)


def test_the_oracle_solves_every_step(tmp_path: Path, backend: Backend) -> None:
    task = make_task(
        tmp_path / "task",
        solve={"one": "echo one >> log.txt", "two": "grep one log.txt && echo two >> log.txt"},
        instructions={"one": "Say one.", "two": "Say two."},
    )
    (task.path / "environment" / "Dockerfile").write_text(DOCKERFILE)
    for word in ("one", "two"):
        tests = task.path / "steps" / word / "tests"
        tests.mkdir()
        (tests / "test.sh").write_text(GRADE.format(word=word))
    trajectory = run(task, OracleScaffold(), backend)
    assert trajectory.outcome is not None
    assert trajectory.outcome.step_rewards == [1.0, 1.0]
    assert trajectory.reward == 1.0


def test_a_bash_rollout_is_kept_and_replayed(task: Task, backend: Backend, tmp_path: Path) -> None:
    store = TrajectoryStore(tmp_path / "runs" / "bash.jsonl")
    store.append(run(task, BashScaffold(), backend, ScriptedModel(WORK)))
    [first] = store
    assert (first.stop_reason, first.reward, first.settled) == (StopReason.SUBMITTED, 1.0, True)
    assert [[step.observation for step in turn.steps] for turn in first.turns[:3]] == [["[no output]"], [], ["/"]]
    assert [message["role"] for message in first.messages].count("assistant") == len(WORK)
    assert store.done([first.key]) == {first.key}
    again = run(task, BashScaffold(), backend, ReplayModel(store, strict=True))
    assert again.reward == 1.0
    assert again.messages == first.messages


def test_a_model_that_breaks_off_leaves_no_reward(task: Task, backend: Backend) -> None:
    trajectory = run(task, BashScaffold(), backend, ScriptedModel(WORK[:1]))
    assert (trajectory.stop_reason, trajectory.reward, trajectory.settled) == (StopReason.MODEL_ERROR, None, False)
    assert trajectory.error is not None
    assert trajectory.error.owner == "model"
    assert "it has 1 replies" in trajectory.error.message


def test_replies_without_an_action_end_in_parse_error(task: Task, backend: Backend) -> None:
    trajectory = run(task, BashScaffold(), backend, ScriptedModel(["hm"] * 3))
    assert (trajectory.stop_reason, trajectory.reward) == (StopReason.PARSE_ERROR, 0.0)
