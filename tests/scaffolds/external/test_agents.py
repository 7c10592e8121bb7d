"""The real, unmodified command-line agents in a sandbox without network, with the gateway as their model."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentgym.entry import make_scaffold
from agentgym.errors import SandboxError, UsageError
from agentgym.protocols import Backend, StopReason
from agentgym.rollout import Job, rollout
from agentgym.scaffold import MountingScaffold
from tests.require import unavailable
from tests.scaffolds.external.agents import SCRIPTS, isodate, playing, scripted, shell
from tests.scaffolds.external.test_endings import make

pytestmark = pytest.mark.agents


@pytest.fixture(params=sorted(SCRIPTS))
def agent(request: pytest.FixtureRequest, backend: Backend) -> MountingScaffold:
    """Each of them, installed."""
    scaffold = make_scaffold(request.param)
    assert isinstance(scaffold, MountingScaffold)
    try:
        scaffold.mounts(backend)
    except (UsageError, SandboxError) as error:  # no network to install it from
        unavailable("agents", str(error))
    return scaffold


def test_an_agent_solves_a_real_task(agent: MountingScaffold, backend: Backend) -> None:
    trajectory = rollout(Job(isodate(), agent, scripted(agent.name)), backend)
    assert (trajectory.stop_reason, trajectory.reward, trajectory.error) == (StopReason.SUBMITTED, 1.0, None)
    steps = [step for turn in trajectory.turns for step in turn.steps]
    assert [step.name for step in steps] == [name for name, _ in SCRIPTS[agent.name]]
    assert not any(step.is_error for step in steps)
    assert not any(call.error for call in trajectory.calls)
    assert "Six digits now." in trajectory.log


def test_an_agent_goes_on_with_its_conversation(agent: MountingScaffold, backend: Backend, tmp_path: Path) -> None:
    task = make(tmp_path / "task", {"one": "Say hello.", "two": "Say it again."}, "hello", "again")
    first, second = (shell(agent.name, f"echo {word} >> /app/log.txt") for word in ("hello", "again"))
    trajectory = rollout(Job(task, agent, playing(first, "Said.", second, "Said again.")), backend)
    assert trajectory.error is None
    assert trajectory.outcome is not None
    assert trajectory.outcome.step_rewards == [1.0, 1.0]
    said = [message["content"] for message in trajectory.messages if message["role"] == "assistant"]
    assert said == [None, "Said.", None, "Said again."]
