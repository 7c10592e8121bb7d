"""What came of episodes and groups over some time: rewards, endings, tokens. It adds up, and knows no clock."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field

from agentgym.trajectory import Trajectory
from rl.objective.advantage import Spread


@dataclass
class Tally:
    rewards: list[float] = field(default_factory=list)
    """The verifier's, of every episode that has one."""
    stops: Counter[str] = field(default_factory=Counter)
    """Episodes by how they ended."""
    n_tokens: int = 0
    """Sampled."""
    n_groups: int = 0
    n_varied: int = 0
    """Groups with something to teach."""

    def episode(self, trajectory: Trajectory) -> None:
        if trajectory.reward is not None:
            self.rewards.append(trajectory.reward)
        self.stops[trajectory.stop_reason.value if trajectory.stop_reason else "broken"] += 1
        self.n_tokens += sum(call.usage.completion_tokens for call in trajectory.calls)

    def group(self, spread: Spread) -> None:
        self.n_groups += 1
        self.n_varied += spread is Spread.VARIED

    def metrics(self, seconds: float) -> dict[str, float]:
        """By name, as of a span of so many seconds."""
        figures = {
            "rate/sampled_tokens_per_s": self.n_tokens / seconds,
            "rate/episodes_per_s": self.stops.total() / seconds,
            **{f"stop/{reason}": float(n) for reason, n in sorted(self.stops.items())},
        }
        if self.rewards:
            figures["reward/mean"] = statistics.fmean(self.rewards)
        if self.n_groups:
            figures["groups/varied_share"] = self.n_varied / self.n_groups
        return figures
