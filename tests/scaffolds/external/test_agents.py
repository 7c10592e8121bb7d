"""The real, unmodified command-line agents in a sandbox without network, on a real task."""

from __future__ import annotations

import pytest

from agentgym.entry import make_scaffold
from agentgym.errors import SandboxError, UsageError
from agentgym.protocols import Backend, StopReason
from agentgym.rollout import Job, rollout
from agentgym.scaffold import MountingScaffold
from tests.require import unavailable
from tests.scaffolds.external.agents import SCRIPTS, isodate, scripted

pytestmark = pytest.mark.agents


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_an_agent_solves_a_task_with_the_gateway_as_its_model(name: str, backend: Backend) -> None:
    scaffold = make_scaffold(name)
    assert isinstance(scaffold, MountingScaffold)
    try:
        scaffold.mounts(backend)
    except (UsageError, SandboxError) as error:  # no network to install it from
        unavailable("agents", str(error))
    trajectory = rollout(Job(isodate(), scaffold, scripted(name)), backend)
    assert (trajectory.stop_reason, trajectory.reward, trajectory.error) == (StopReason.SUBMITTED, 1.0, None)
    asked = [name for turn in trajectory.turns for name in (step.name for step in turn.steps)]
    assert asked == [name for name, _ in SCRIPTS[name]]
    assert not any(step.is_error for turn in trajectory.turns for step in turn.steps)
    assert all(call.error == "" for call in trajectory.calls)
