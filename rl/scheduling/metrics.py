"""What the scheduler saw since somebody last took its metrics: waiting, order, staleness, tombstones."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class SchedulerMetrics:
    elapsed_s: float = 0.0
    """From the first tick to the last; the waits below are parts of it."""
    fetch_wait_s: float = 0.0
    """The trainer asked for a batch that was not complete."""
    head_wait_s: float = 0.0
    """Of it: other groups were done, but outside the window: the head held them up."""
    running_s: float = 0.0
    """Groups x seconds of rollouts."""
    lag_groups: Counter[int] = field(default_factory=Counter)
    """How often a group was consumed after this many others had been, counted from its dispatch."""
    lag_versions: Counter[int] = field(default_factory=Counter)
    """How often a group was consumed this many policy versions after its dispatch."""
    out_of_order: Counter[int] = field(default_factory=Counter)
    """How often a group was consumed this many places ahead of the head."""
    tombstones: Counter[str] = field(default_factory=Counter)
    """Groups that came to nothing, by reason; each was replaced by another."""
    late: int = 0
    """Results of groups that had been given up, and were thrown away."""

    @property
    def consumed(self) -> int:
        return self.lag_groups.total()

    def summary(self, concurrency: int) -> dict[str, float]:
        """Figures to log, by name; shares are of the time elapsed or of the groups that ended."""
        ended = self.consumed + self.tombstones.total()
        figures = {
            "groups": float(self.consumed),
            "fetch_wait_s": self.fetch_wait_s,
            "head_wait_s": self.head_wait_s,
            "trainer_idle_share": _part(self.fetch_wait_s, self.elapsed_s),
            "rollout_idle_share": 1.0 - _part(self.running_s, self.elapsed_s * concurrency),
            "lag_groups_mean": mean(self.lag_groups),
            "lag_groups_max": float(max(self.lag_groups, default=0)),
            "lag_versions_mean": mean(self.lag_versions),
            "lag_versions_max": float(max(self.lag_versions, default=0)),
            "out_of_order_max": float(max(self.out_of_order, default=0)),
            "refilled_share": _part(self.tombstones.total(), ended),
            "late": float(self.late),
        }
        return figures | {f"tombstones/{reason}": float(n) for reason, n in sorted(self.tombstones.items())}


def mean(counts: Counter[int]) -> float:
    return _part(sum(value * n for value, n in counts.items()), counts.total())


def _part(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
