"""Whether training teaches: success on repairs that are never trained on, before and after, on three seeds.

Each run is `agentgym train configs/quickstart.toml --seed N`: a policy of fresh weights, a short warm-up on
demonstrations, then CISPO on the rewards of its own episodes in sandboxes. `heldout` are templates that train, under
names and constants and with a bug in a place that theirs never have in training; `unseen` are templates that never
train. The control is the same run with the rewards of each group dealt out at random; it ends where its groups have
nothing left that differs. Success is that of sampling at temperature 1, on the same tasks before and after.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import tomli_w
import torch

from benchmarks.curves import Curve, draw
from benchmarks.report import Row, arguments, higher, lower, publish

CONFIG, QUICK_CONFIG = Path("configs/quickstart.toml"), Path("configs/ci.toml")
SEEDS = (1, 2, 3)
RISE_POINTS, CONTROL_POINTS = 25.0, 5.0
MINUTES = 15.0
AT_ENDS = 5
"""Steps that the reward in training is averaged over."""
BARREN_GROUPS = 50
"""In a row, after which the control ends."""
TRAINER_IDLE, BOOKKEEPING = 0.2, 0.01
COLOURS = ("#1b6ca8", "#2e8b57", "#8e44ad")
CURVES = Path("benchmarks/results/learning.svg")
RUNS, QUICK_RUNS = Path("runs/learning"), Path("runs/learning-quick")
"""Runs that are whole here are not run again: take them away for new ones."""


@dataclass(frozen=True)
class Run:
    """One that has ended."""

    seed: int
    records: list[dict[str, Any]]
    """Lines of metrics.jsonl."""

    @property
    def whole(self) -> bool:
        return any(record["kind"] == "end" for record in self.records)

    def rise_points(self, split: str) -> float:
        (_, before), *_, (_, after) = self.success(split)
        return round(100 * (after - before), 6)  # of shares: 151 less 76 of 300 are 25 points, not a bit under

    def told(self, split: str) -> str:
        return " -> ".join(f"{share:.3f}" for _, share in self.success(split))

    def success(self, split: str) -> list[tuple[float, float]]:
        """(minutes of training, share)."""
        began = datetime.fromisoformat(self.records[0]["at"])
        return [
            ((datetime.fromisoformat(record["at"]) - began).total_seconds() / 60, record["metrics"][f"success/{split}"])
            for record in self.records
            if record["kind"] == "heldout"
        ]

    def steady(self, name: str) -> float:
        """Median of a metric over the steps of the second half."""
        return statistics.median(metrics[name] for metrics in self._steps[len(self._steps) // 2 :])

    @property
    def n_steps(self) -> int:
        return len(self._steps)

    @property
    def reward(self) -> tuple[float, float]:
        """Means over the first steps and over the last."""
        rewards = [metrics["reward/mean"] for metrics in self._steps]
        return statistics.fmean(rewards[:AT_ENDS]), statistics.fmean(rewards[-AT_ENDS:])

    @property
    def minutes(self) -> float:
        """From the first record to the last, the warm-up included."""
        first, last = (datetime.fromisoformat(self.records[at]["at"]) for at in (0, -1))
        return (last - first).total_seconds() / 60

    @property
    def bookkeeping(self) -> float:
        """Its part of a step, in the second half."""
        half = self._steps[len(self._steps) // 2 :]
        parts = ("fetch", "train", "publish", "bookkeeping")
        whole_s = sum(metrics[f"time/{part}_s"] for metrics in half for part in parts)
        return sum(metrics["time/bookkeeping_s"] for metrics in half) / whole_s

    @cached_property
    def _steps(self) -> list[dict[str, float]]:
        return [record["metrics"] for record in self.records if record["kind"] == "step"]


def train(config: Path, seed: int, out: Path) -> Run:
    """In a process of its own, or what is left of one that was here before. Raises CalledProcessError."""
    run = Run(seed, _records(out))
    if not run.whole:
        argv = [sys.executable, "-m", "agentgym", "train", str(config), "--seed", str(seed), "--out", str(out)]
        done, run = subprocess.run(argv, stdout=subprocess.DEVNULL), Run(seed, _records(out))
        if not run.whole:  # code 3 is also that of a run that had nothing left to learn
            done.check_returncode()
    return run


def _records(out: Path) -> list[dict[str, Any]]:
    metrics = out / "metrics.jsonl"
    return [json.loads(line) for line in metrics.read_text().splitlines()] if metrics.is_file() else []


def control(config: Path, folder: Path) -> Path:
    """The same config, but that rewards mean nothing, and that a policy that has forgotten all is waited for less."""
    data = tomllib.loads(config.read_text())
    data.setdefault("rollouts", {}).update(shuffle_rewards=True, barren_groups_max=BARREN_GROUPS)
    path = folder / "control.toml"
    path.write_text(tomli_w.dumps(data))
    return path


def rows(runs: list[Run], shuffled: Run | None) -> list[Row]:
    found = [row for run in runs for row in (*taught(run), *took(run))]
    return found if shuffled is None else [*found, *not_taught(shuffled)]


def taught(run: Run) -> list[Row]:
    return [
        higher(f"heldout, seed {run.seed}: rise", run.rise_points("heldout"), "points",
               bound=run.told("heldout"), at_least=RISE_POINTS),
        higher(f"unseen, seed {run.seed}: rise", run.rise_points("unseen"), "points",
               bound=run.told("unseen"), at_least=0.0),
        reward(run, f"seed {run.seed}"),
    ]  # fmt: skip


def took(run: Run) -> list[Row]:
    return [
        lower(f"whole run, seed {run.seed}", run.minutes, "min", at_most=MINUTES),
        lower(f"trainer idle at steady state, seed {run.seed}", run.steady("idle/trainer"), "of the time",
              at_most=TRAINER_IDLE, bound=f"processors idle {run.steady('idle/processors'):.3f}"),
        lower(f"scheduler and bookkeeping, seed {run.seed}", run.bookkeeping, "of a step", at_most=BOOKKEEPING),
        higher(f"groups whose rewards differ, seed {run.seed}", run.steady("groups/varied_share"), "of all"),
        higher(f"episodes graded, seed {run.seed}", run.steady("rate/episodes_per_s"), "1/s"),
    ]  # fmt: skip


def not_taught(shuffled: Run) -> list[Row]:
    return [
        lower(f"heldout, rewards shuffled, seed {shuffled.seed}: rise", shuffled.rise_points("heldout"), "points",
              bound=shuffled.told("heldout"), at_most=CONTROL_POINTS),
        reward(shuffled, f"rewards shuffled, seed {shuffled.seed}"),
    ]  # fmt: skip


def reward(run: Run, name: str) -> Row:
    """Of the episodes that train. Those of easy templates are left out as they are learnt, so it rises by less."""
    first, last = run.reward
    bound = f"{first:.3f} -> {last:.3f} in {run.n_steps} steps"
    return higher(f"reward in training, {name}: rise, last {AT_ENDS} steps over first {AT_ENDS}", 100 * (last - first),
                  "points", bound=bound)  # fmt: skip


def curves(runs: list[Run], shuffled: Run | None) -> list[Curve]:
    found = []
    for run, colour in zip(runs, COLOURS, strict=False):
        found.append(Curve(f"heldout, seed {run.seed}", run.success("heldout"), colour))
        found.append(Curve(f"unseen, seed {run.seed}", run.success("unseen"), colour, dashed=True))
    if shuffled is not None:
        found.append(Curve("heldout, shuffled", shuffled.success("heldout"), "#888888"))
    return found


def main() -> None:
    asked = arguments("learning")
    config, seeds, folder = (QUICK_CONFIG, SEEDS[:1], QUICK_RUNS) if asked.quick else (CONFIG, SEEDS, RUNS)
    folder.mkdir(parents=True, exist_ok=True)
    runs: list[Run] = []
    shuffled = None
    for seed in seeds:
        runs.append(train(config, seed, folder / f"seed-{seed}"))
        if shuffled is None:
            shuffled = train(control(config, folder), seed, folder / "control")
        if not asked.quick:
            draw(CURVES, "Success at repairs that are never trained on", "minutes", curves(runs, shuffled))
        # after each, for an hour is long
        publish("learning", rows(runs, shuffled), {"torch": torch.__version__}, asked.json)


if __name__ == "__main__":
    main()
