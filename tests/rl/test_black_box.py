"""The loop over an agent that is somebody else's program in the sandbox: it asks by HTTP, and its tokens train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agentgym.backends import make_backend
from agentgym.env import Episode, EpisodeConfig
from agentgym.gateway import Gateway
from agentgym.protocols import StopReason
from agentgym.rollout import Job, rollout
from agentgym.trajectory import Outcome, Trajectory
from tests.rl import even

AGENT = """
name = "asks-twice"
version = "1"
dialect = "chat"
command = ["python3", "{home}/agent.py", "{base_url}/v1/chat/completions", "{key}", "{model}"]
stdin = "{instruction}"
[files]
"agent.py" = '''
import json, sys, urllib.request
url, key, model = sys.argv[1:]
said = [{"role": "user", "content": sys.stdin.read()}]
for _ in range(2):
    body = json.dumps({"model": model, "messages": said}).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
        said.append(json.load(answer)["choices"][0]["message"])
    said.append({"role": "user", "content": "again"})
open("said.txt", "w").write(str(said))
'''
"""


def test_a_program_in_the_sandbox_trains(tmp_path: Path, policy: Path) -> None:
    (tmp_path / "agent.toml").write_text(AGENT)
    backend, trained = make_backend("namespaces"), list[Trajectory]()

    def alternating(
        job: Job, *, config: EpisodeConfig, gateway: Gateway, watch: Callable[[Episode], None]
    ) -> Trajectory:
        """Run and graded in earnest; then every other member of a group is rewarded, so that every group trains."""
        trajectory = rollout(job, backend, config=config, gateway=gateway, watch=watch)
        trained.append(trajectory)
        return trajectory.model_copy(update={"outcome": Outcome(reward=float(job.attempt % 2))})

    config = even.config(
        policy,
        run={"steps": 2},
        tasks={"heldout": []},
        rollouts={"group_size": 2, "scaffold": f"external:{tmp_path / 'agent.toml'}"},
    )
    result, records = even.run(tmp_path / "run", config, alternating)
    assert result.steps == 2
    steps = [record.metrics for record in records.of("step")]
    assert all(step["trainer/grad_norm"] > 0 for step in steps)
    # of two groups of two episodes of two replies
    assert all(step["trainer/trained_tokens"] >= 2 * 2 * 2 for step in steps)
    ended = [
        trajectory for trajectory in trained if trajectory.settled
    ]  # the others were cut off by the end of the run
    assert len(ended) >= 8
    assert {(trajectory.stop_reason, trajectory.reward) for trajectory in ended} == {(StopReason.SUBMITTED, 0.0)}
    assert all([call.drift for call in trajectory.calls] == ["root", "clean"] for trajectory in ended)
