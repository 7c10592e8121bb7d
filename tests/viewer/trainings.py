"""Training runs to look at: the lines that a trainer appends to metrics.jsonl."""

from __future__ import annotations

import json
import math
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

from agentgym.lines import LineFile
from tests.trajectories import NOON


def line(kind: str, step: int, text: str = "", **metrics: float | None) -> dict[str, Any]:
    """`reward__mean=1.0` is the metric reward/mean."""
    named = {name.replace("__", "/"): value for name, value in metrics.items()}
    at = (NOON + timedelta(seconds=2 * step)).isoformat()
    return {"kind": kind, "step": step, "at": at, "metrics": named, "text": text}


def tell(path: Path, *lines: dict[str, Any]) -> Path:
    file = LineFile(path)
    for each in lines:
        file.append(json.dumps(each).encode() + b"\n")
    return path


def curve(n_steps: int, seed: int = 0) -> list[dict[str, Any]]:
    """A run as it might be: the reward rises, and everything else is as noisy as it is."""
    die = random.Random(seed)
    lines = [
        line("start", 0, "from nothing", steps=n_steps),
        line("heldout", 0, success__heldout=0.27, success__unseen=0.09),
    ]
    for step in range(1, n_steps + 1):
        skill = 1 - math.exp(-2 * step / n_steps)
        lines.append(line("step", step, **figures(die, skill, n_steps - step)))
        if step % max(1, n_steps // 8) == 0:
            lines.append(
                line("heldout", step, success__heldout=0.27 + 0.38 * skill, success__unseen=0.09 + 0.15 * skill)
            )
    return lines


def figures(die: random.Random, skill: float, left: int) -> dict[str, float | None]:
    """Of one step."""
    noise = die.gauss
    return {
        "reward__mean": 0.3 + 0.38 * skill + noise(0, 0.06),
        "lag__versions_mean": 1.3 + noise(0, 0.1),
        "lag__versions_max": float(die.choice([2, 3, 3, 4])),
        "lag__groups_mean": 24 + noise(0, 2),
        "idle__trainer": max(0.0, 0.13 + noise(0, 0.04)),
        "idle__rollouts": max(0.0, 0.06 + noise(0, 0.02)),
        "rate__sampled_tokens_per_s": 2100 + noise(0, 80),
        "rate__trained_tokens_per_s": 1900 + noise(0, 120),
        "rate__episodes_per_s": 33 + noise(0, 1.5),
        "time__fetch_s": 0.2,
        "time__train_s": 1.3 + noise(0, 0.1),
        "time__publish_s": 0.02,
        "time__bookkeeping_s": 0.01,
        "groups__trained": 16.0,
        "groups__tombstones": float(die.randint(2, 9)),
        "groups__varied_share": 0.65 + noise(0, 0.06),
        "stop__submitted": float(die.randint(110, 128)),
        "stop__parse_error": float(die.randint(0, 12)),
        "eta_s": 2.0 * left,
        "trainer__loss": -0.02 + noise(0, 0.01),
        "trainer__grad_norm": 0.6 + abs(noise(0, 0.2)),
        "trainer__entropy_mean": 0.9 - 0.5 * skill + noise(0, 0.02),
        "trainer__ratio_mean": 1 + noise(0, 0.004),
        "trainer__ratio_p95": 1.2 + noise(0, 0.05),
        "trainer__mismatch/k3_mean": 0.002 + abs(noise(0, 0.001)),
        "trainer__mismatch/pearson": 0.998 - abs(noise(0, 0.0005)),
        "trainer__sharing": 3.1 + noise(0, 0.2),
    }
