"""Record one session of each real agent: python -m tests.golden.agents.renew

What makers of agents wrote (prompts, descriptions of tools) is cut short: it is theirs, and no test reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentgym.backends import make_backend
from agentgym.entry import make_scaffold
from agentgym.rollout import Job, rollout
from agentgym.store import TrajectoryStore
from agentgym.trajectory import Trajectory
from tests.scaffolds.external.agents import SCRIPTS, isodate, scripted

HERE = Path(__file__).parent
TEXT_CHARS, DESCRIPTION_CHARS = 600, 60


def cut(value: Any, chars: int = TEXT_CHARS) -> Any:
    """The same, every text in it cut; the same text is cut to the same."""
    match value:
        case str():
            return value if len(value) <= chars else f"{value[:chars]} [cut]"
        case list():
            return [cut(item, chars) for item in value]
        case dict():
            return {key: cut(item, DESCRIPTION_CHARS if key == "description" else chars) for key, item in value.items()}
    return value


def main() -> None:
    for name in sorted(SCRIPTS):
        trajectory = rollout(Job(isodate(), make_scaffold(name), scripted(name)), make_backend("namespaces"))
        assert trajectory.reward == 1.0, trajectory.error
        path = HERE / f"{name}.jsonl"
        path.unlink(missing_ok=True)
        TrajectoryStore(path).append(Trajectory.model_validate(cut(trajectory.model_dump(mode="json"))))


if __name__ == "__main__":
    main()
