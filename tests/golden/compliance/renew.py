"""Record how real scaffolds keep and break rules: python -m tests.golden.compliance.renew [SESSION...]

What each session does differently from one that keeps every rule is stated in `sessions.py`; the labels are set by
hand, in labels.toml, by reading what was recorded.
"""

from __future__ import annotations

import sys
from pathlib import Path

from agentgym.backends import make_backend
from agentgym.entry import make_scaffold
from agentgym.rollout import Job, rollout
from agentgym.scaffold import Scaffold
from agentgym.store import TrajectoryStore
from agentgym.task import load_task
from agentgym.trajectory import Trajectory
from scaffolds.plan import PlanScaffold
from tests.golden.agents.renew import cut
from tests.golden.compliance.sessions import SESSIONS, Session, model

HERE = Path(__file__).parent
TEXT_CHARS = 1200
PLANNERS = {"TaskCreate", "TaskUpdate", "todowrite", "plan"}
"""Tools that are kept on record though nobody called them: whether they are offered matters."""
WINDOW_TOKENS = 3000
"""Small enough for the plan scaffold to compact once or twice."""


def record(name: str, session: Session) -> Trajectory:
    scaffold: Scaffold = make_scaffold(session.scaffold)
    if session.compacted:
        scaffold = PlanScaffold(window_tokens=WINDOW_TOKENS)
    trajectory = rollout(Job(load_task(HERE / "task"), scaffold, model(session)), make_backend("namespaces"))
    assert trajectory.error is None, f"{name}: {trajectory.error}"
    data = trajectory.model_dump(mode="json")
    shown = {step.name for turn in trajectory.turns for step in turn.steps} | PLANNERS
    for part in (data, *data["calls"]):
        if part["tools"] is not None:
            part["tools"] = [tool for tool in part["tools"] if tool["function"]["name"] in shown]
    return Trajectory.model_validate({**cut(data, TEXT_CHARS), "id": name, "log": "", "patch": trajectory.patch})


def main() -> None:
    wanted = sys.argv[1:] or list(SESSIONS)
    path = HERE / "trajectories.jsonl"
    kept = {trajectory.id: trajectory for trajectory in TrajectoryStore(path)}
    for name in wanted:
        kept[name] = record(name, SESSIONS[name])
        print(name, kept[name].reward, len(kept[name].turns), file=sys.stderr)
    path.unlink(missing_ok=True)
    for name in SESSIONS:
        if name in kept:
            TrajectoryStore(path).append(kept[name])


if __name__ == "__main__":
    main()
