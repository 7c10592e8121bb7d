"""Asynchronous training under the windowed FIFO against synchronous, plain FIFO and greedy training.

Simulated: the scheduler that trains, under a clock that jumps. Groups of 8 episodes, each lognormal with a median of
20 s and sigma 1.2 (mean 41 s, 1 in 100 over 5 min), ended after 10 min; 32 groups at once, batches of 32, 120 s a train
step. Everybody has the same machines: 32 groups are all that a synchronous batch can use. The row against train steps
twice as quick grants sync the rollouts' machines while it trains. Same luck for all: how long a group takes depends on
its place in the queue; three seeds are added up.

Real: see `async_real.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pydantic

from benchmarks.async_real import real
from benchmarks.report import Row, arguments, higher, lower, publish
from rl.scheduling.scheduler import SchedulerConfig
from rl.scheduling.simulate import LatencyConfig, Simulation, SimulationConfig, simulate

GROUPS = 32
TRAIN_STEP_S = 120.0
LATENCY = LatencyConfig(median_s=20.0, sigma=1.2, timeout_s=600.0)
HANGING = LatencyConfig(median_s=20.0, sigma=1.2, hang_share=0.001)
HEAD_DEADLINE_S = 300.0
WANTED_RATIO = 2.5


@dataclass(frozen=True)
class Figures:
    """Of the simulations of one setting, all seeds together."""

    config: SimulationConfig
    runs: list[Simulation]

    @property
    def groups_per_min(self) -> float:
        n_groups = sum(run.groups_per_s * run.elapsed_s for run in self.runs)
        return 60 * n_groups / sum(run.elapsed_s for run in self.runs)

    @property
    def staleness_max(self) -> int:
        return max(run.staleness_max for run in self.runs)

    @property
    def lag_max(self) -> int:
        return max(max(run.metrics.lag_groups) for run in self.runs)

    def idle(self) -> str:
        trainer, rollouts = (
            sum(getattr(run, name) for run in self.runs) / len(self.runs)
            for name in ("trainer_idle_share", "rollout_idle_share")
        )
        return f"idle: trainer {trainer:.0%}, rollouts {rollouts:.0%}; staleness up to {self.staleness_max} versions"

    def quick_first(self) -> str:
        early = sum(run.first_s / run.all_s for run in self.runs) / len(self.runs)
        return f"first tenth trained on: {early:.2f} of the mean duration"


def figures(
    n_steps: int, latency: LatencyConfig = LATENCY, train_step_s: float = TRAIN_STEP_S, **order: Any
) -> Figures:
    scheduler = SchedulerConfig(batch_groups=GROUPS, concurrency=GROUPS, **{"head_deadline_s": None, **order})
    config = SimulationConfig(
        scheduler=scheduler, latency=latency, group_size=8, train_step_s=train_step_s, steps=n_steps
    )
    return Figures(config, [simulate(config.model_copy(update={"seed": seed})) for seed in range(3)])


def simulated(n_steps: int) -> list[Row]:
    sync = figures(n_steps, order="sync")
    windowed = figures(n_steps, span=4 * GROUPS)
    narrow = figures(n_steps, span=2 * GROUPS)
    fifo = figures(n_steps, order="fifo", span=4 * GROUPS)
    greedy = figures(n_steps, order="greedy")
    shared = figures(n_steps, order="sync", train_step_s=TRAIN_STEP_S / 2)
    hanging = figures(n_steps, HANGING, span=4 * GROUPS, head_deadline_s=HEAD_DEADLINE_S)
    scheduler = windowed.config.scheduler

    def against_sync(name: str, ours: Figures, peer: Figures, who: str, beside: str) -> Row:
        return higher(f"simulated: {name}", ours.groups_per_min, "groups/min", peer=who,
                      peer_value=peer.groups_per_min, bound=beside, ratio_at_least=WANTED_RATIO)  # fmt: skip

    most = f"greedy reaches {greedy.groups_per_min:.3g}; "
    given_up = sum(run.metrics.tombstones.total() for run in hanging.runs)
    return [
        against_sync("windowed FIFO, N = 4 C, W = 0.3 N", windowed, sync, "sync", most + windowed.idle()),
        against_sync("the same", windowed, shared, "sync, train steps twice as quick", shared.idle()),
        against_sync("windowed FIFO, N = 2 C, W = 0.3 N", narrow, sync, "sync", narrow.idle()),
        Row("simulated: FIFO, N = 4 C", fifo.groups_per_min, "groups/min", bound=fifo.idle()),
        Row("simulated: greedy", greedy.groups_per_min, "groups/min", bound=f"{greedy.idle()}; {greedy.quick_first()}"),
        Row("simulated: sync", sync.groups_per_min, "groups/min", bound=sync.idle()),
        lower("simulated: lag of windowed FIFO, N = 4 C", windowed.lag_max, "groups",
              bound=f"N + W - 2; {windowed.quick_first()}", at_most=scheduler.lag_bound),
        Row(f"simulated: windowed FIFO, 1 episode in 1000 hangs, no timeout, head deadline {HEAD_DEADLINE_S:.0f} s",
            hanging.groups_per_min, "groups/min", bound=f"{given_up} groups given up; {hanging.idle()}"),
    ]  # fmt: skip


def main() -> None:
    options = arguments("async_rl")
    loop = real(4, median_s=0.2) if options.quick else real(14, median_s=0.8)
    rows = [*simulated(40 if options.quick else 200), *loop]
    publish("async_rl", rows, {"pydantic": pydantic.VERSION, "torch": version("torch")}, options.json)


if __name__ == "__main__":
    main()
