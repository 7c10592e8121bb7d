"""A run that takes seconds and learns for real: the policy is rewarded where most of the ids it samples are even.

Everything is the loop's own but sandbox and verifier.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from agentgym.call import Call
from agentgym.env import Episode, EpisodeConfig
from agentgym.gateway import Gateway
from agentgym.protocols import StopReason
from agentgym.rollout import Job
from agentgym.trajectory import Outcome, TaskRef, Trajectory
from policy.checkpoint import save
from policy.config import PolicyConfig
from policy.model import Decoder
from rl.assembly import assembled
from rl.config import TrainConfig, parse
from rl.loop import Loop, Result
from rl.observe.jsonl import JsonLines
from rl.observe.record import Record
from rl.run_folder import RunFolder
from rl.tasks.repairs import repair_tokenizer

CONFIG: dict[str, Any] = {
    "run": {"steps": 6, "save_every_steps": 2, "keep_episodes_share": 0.0},
    "model": {"max_tokens": 4, "parallel": 16},
    "tasks": {"train": ["repairs:train"], "heldout": ["repairs:heldout"]},
    "rollouts": {"group_size": 4, "parallel": 8},
    "scheduler": {"batch_groups": 2, "concurrency": 4, "order": "fifo"},
    "heldout": {"tasks": 4, "every_steps": 3},
    "trainer": {"optimizer": {"learning_rate": 1e-3}},
}


def small_policy(folder: Path) -> Path:
    """A checkpoint that computes in no time, over the lexemes of the repairs."""
    tokenizer = repair_tokenizer()
    sizes = {
        "vocab_size": tokenizer.n_vocab, "embed_dim": 32, "n_heads": 2, "n_kv_heads": 1, "head_dim": 16, "ffn_dim": 32,
        "max_context": 512, "norm_eps": 1e-5, "rope": {"theta": 1e4, "rotary_dim": 8}, "lightning": {},
        "layers": [{"mixer": "softmax"}, {"mixer": "lightning"}, {"mixer": "msa"}], "tie_embeddings": True,
        "msa": {"index_dim": 8, "block_size": 16, "top_k": 2},
    }  # fmt: skip
    torch.manual_seed(0)
    tokenizer.save(folder / "tokenizer")
    decoder = Decoder(PolicyConfig.of(sizes))
    return save(decoder, folder / "policy", model_type="agentgym", tokenizer_from=folder / "tokenizer")


def config(policy: Path, **tables: dict[str, Any]) -> TrainConfig:
    """CONFIG with values of some tables replaced."""
    model = {**CONFIG["model"], "name": str(policy), **tables.pop("model", {})}
    merged = {name: {**CONFIG.get(name, {}), **values} for name, values in tables.items()}
    found, lines = parse({**CONFIG, "model": model, **merged})
    assert not lines, lines
    return TrainConfig(**found)


def roll(job: Job, *, config: EpisodeConfig, gateway: Gateway, watch: Callable[[Episode], None]) -> Trajectory:
    """One reply to a short prompt, graded here."""
    sampled, calls = _asked(job, gateway)
    return trajectory(job, reward=float(2 * sum(id % 2 == 0 for id in sampled) > len(sampled)), calls=calls)


def alternating(job: Job, *, config: EpisodeConfig, gateway: Gateway, watch: Callable[[Episode], None]) -> Trajectory:
    """The same, but every other member of a group is rewarded whatever it said, so that every group trains."""
    return trajectory(job, reward=float(job.attempt % 2), calls=_asked(job, gateway)[1])


def _asked(job: Job, gateway: Gateway) -> tuple[list[int], list[Call]]:
    assert job.model is not None
    session = gateway.open(job.model)
    session.reply([{"role": "user", "content": "even"}])
    gateway.forget(session)
    [call] = session.calls
    assert call.tokens is not None
    return call.tokens.sampled, session.calls


def trajectory(job: Job, *, reward: float | None, **more: Any) -> Trajectory:
    return Trajectory(
        id=f"{time.monotonic_ns()}",
        task=TaskRef(name=job.task.name, checksum=job.task.checksum),
        scaffold=job.scaffold.name,
        model=job.model_name,
        backend="none",
        started_at=datetime.now(UTC),
        outcome=Outcome(reward=reward),
        **{"stop_reason": StopReason.SUBMITTED, **more},
    )


class Records:
    """Keeps them."""

    def __init__(self) -> None:
        self.all: list[Record] = []

    def record(self, record: Record) -> None:
        self.all.append(record)

    def close(self) -> None:
        pass

    def of(self, kind: str) -> list[Record]:
        return [record for record in self.all if record.kind == kind]


def run(
    folder: Path,
    config: TrainConfig,
    roll: Any = roll,
    *,
    stop: threading.Event | None = None,
    told: Callable[[str], None] = lambda text: None,
) -> tuple[Result, Records]:
    """A run in this process, or more of one."""
    records = Records()
    run = RunFolder(folder)
    with assembled(config, run, told=told, roll=roll) as parts:
        result = Loop(config, parts, [records, JsonLines(run.metrics)]).run(stop or threading.Event())
    return result, records
