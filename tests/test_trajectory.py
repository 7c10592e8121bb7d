from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from agentgym.errors import (
    AgentGymError,
    GraderError,
    ImageError,
    ModelError,
    SandboxLost,
    TaskError,
    UsageError,
)
from agentgym.protocols import StopReason
from agentgym.trajectory import Failure, Outcome, TaskRef, Trajectory
from tests.trajectories import make_trajectory


def test_a_trajectory_survives_json() -> None:
    trajectory = make_trajectory(
        "ls",
        "submit",
        seed=7,
        patch="--- a\n+++ b\n",
        tools=[{"type": "function", "function": {"name": "bash"}}],
        outcome=Outcome(
            reward=0.5,
            rewards={"speed": 1.5},
            fail_to_pass={"t::a": "passed", "t::b": "missing"},
            pass_to_pass={"t::c": "skipped"},
            step_rewards=[1.0, None],
        ),
        versions={"agentgym": "0.1"},
    )
    again = Trajectory.model_validate_json(trajectory.model_dump_json())
    assert again == trajectory
    assert again.turns[0].steps[0].arguments == {"command": "ls"}
    assert again.turns[0].usage.completion_tokens == 3
    assert again.key == ("c0ffee", "bash", "m", 0)
    assert json.loads(trajectory.model_dump_json())["started_at"] == "2026-01-02T12:00:00Z"


def test_messages_keep_keys_that_only_their_server_knows() -> None:
    message = {"role": "assistant", "content": None, "reasoning_content": "hm", "annotations": [1]}
    trajectory = make_trajectory(messages=[message])
    assert Trajectory.model_validate_json(trajectory.model_dump_json()).messages == [message]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_reward_is_a_finite_number(value: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Outcome(reward=value)


def test_unknown_keys_and_naive_times_are_refused() -> None:
    data = make_trajectory("ls").model_dump(mode="json")
    with pytest.raises(ValidationError, match="rewrad"):
        Trajectory.model_validate(data | {"rewrad": 1})
    with pytest.raises(ValidationError, match="timezone"):
        Trajectory.model_validate(data | {"started_at": "2026-01-02T12:00:00"})


@pytest.mark.parametrize(
    ("error", "owner"),
    [
        (TaskError("x"), "task"),
        (ImageError("x"), "task"),
        (SandboxLost("x"), "sandbox"),
        (ModelError("x"), "model"),
        (GraderError("x"), "grader"),
        (UsageError("x"), "caller"),
        (AgentGymError("x"), "scaffold"),
        (KeyError("x"), "scaffold"),
    ],
)
def test_a_failure_names_its_owner(error: Exception, owner: str) -> None:
    failure = Failure.of(error)
    assert (failure.owner, failure.type) == (owner, type(error).__name__)


def test_what_infrastructure_broke_is_not_settled() -> None:
    assert make_trajectory().settled
    assert make_trajectory(stop_reason=StopReason.MAX_TURNS, outcome=None).settled, "not graded, but not broken"
    assert not make_trajectory(stop_reason=StopReason.SANDBOX_LOST, outcome=None).settled
    assert not make_trajectory(stop_reason=None, outcome=None).settled
    assert not make_trajectory(outcome=Outcome(reward=None)).settled
    assert not make_trajectory(error=Failure.of(KeyError("x"))).settled


def test_the_task_is_named_by_its_content() -> None:
    assert make_trajectory(task="a/b").key == make_trajectory(task="c/d").key
    assert make_trajectory(checksum="1").key != make_trajectory(checksum="2").key
    assert TaskRef(name="a", checksum="b").suite == ""
