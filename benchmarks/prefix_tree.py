"""A training step over a prefix tree against the same step over its samples one by one: same model, same loss.

    python -m benchmarks.prefix_tree [--quick] [--json FILE]

The bound is total / unique tokens: what a model would gain that spends its time on tokens alone. Both sides are packed
to the same budget; that they compute the same is checked before anything is timed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import torch

from benchmarks.report import Row, arguments, interleaved, lower, publish
from policy.config import PolicyConfig
from policy.model import Decoder
from rl.learner.optimizer import OptimizerConfig
from rl.learner.sample import TrainingSample
from rl.learner.trainer import Trainer, TrainerConfig
from rl.objective.cispo import ObjectiveConfig

VOCAB = 1024
"""So small that the head's part of the work is that of a large model: it sees trained tokens alone, which no tree makes
fewer."""
REWRITTEN_TURNS = 48
"""Of the agent that rewrites its history: as many as leave over 8 times of sharing."""
OF_BOUND, SHARED_ENOUGH = 0.85, 8.0
"""The target: this part of the bound, where tokens are shared so often."""

if torch.cuda.is_available():
    DEVICE, DTYPE, EMBED, LAYERS, SCALE = "cuda", torch.bfloat16, 1024, 8, 8
else:
    DEVICE, DTYPE, EMBED, LAYERS, SCALE = "cpu", torch.float32, 256, 4, 1


@dataclass(frozen=True)
class Workload:
    name: str
    samples: list[TrainingSample]


def main() -> None:
    options = arguments("prefix_tree")
    if DEVICE == "cpu":
        torch.set_num_threads(2)
    part = 2 if options.quick else 1
    rows = [row for workload in workloads(part) for row in measure(workload, n=1 if options.quick else 5)]
    publish("prefix_tree", rows, {"torch": version("torch"), "device": DEVICE}, options.json)


def workloads(part: int) -> list[Workload]:
    """`part`: a divisor of lengths."""
    rng = random.Random(0)

    def ids(n: int) -> list[int]:
        return [rng.randrange(VOCAB) for _ in range(n)]

    prompt = ids(1536 * SCALE // part)
    group = [_sample(prompt, ids(rng.randint(64, 128) * SCALE // part)) for _ in range(16)]

    history, turns = ids(64), []
    for _ in range(80 // part):
        history = history + ids(8 * SCALE)
        reply = ids(8 * SCALE)
        turns.append(_sample(history, reply))
        history = history + reply

    # thoughts are taken out of the history, and every 20 turns it is cut down to a summary
    system, rewritten = ids(512 // part), []
    history = list(system)
    for turn in range(REWRITTEN_TURNS // part):
        if turn % 20 == 19:
            history = system + ids(64)
        history = history + ids(24 * SCALE)
        thought, reply = ids(24 * SCALE), ids(16 * SCALE)
        rewritten.append(_sample(history, thought + reply))
        history = history + reply
    return [
        Workload("16 samples of one prompt", group),
        Workload(f"{80 // part} turns, one sample each", turns),
        Workload(f"{REWRITTEN_TURNS // part} turns, history rewritten", rewritten),
    ]


def measure(workload: Workload, n: int) -> list[Row]:
    trainers = {"tree": _trainer(share=True), "flat": _trainer(share=False)}
    _same_logprobs(trainers["tree"], trainers["flat"], workload.samples)
    metrics: dict[str, dict[str, float]] = {}

    def step(name: str) -> None:
        metrics[name] = trainers[name].train_step(workload.samples)
        if DEVICE == "cuda":
            torch.cuda.synchronize()

    times = interleaved(n, tree=lambda: step("tree"), flat=lambda: step("flat"))
    total, unique = (metrics[name]["computed_tokens"] for name in ("flat", "tree"))
    bound, ratio = total / unique, times["flat"] / times["tree"]
    shared_enough = bound >= SHARED_ENOUGH
    return [
        Row(
            f"train step, {workload.name}", times["tree"], "ms", "flat", times["flat"], ratio,
            bound=f"{bound:.3g}x: {total:.0f} / {unique:.0f} tokens; reached {ratio / bound:.2f} of it",
            target=f">= {OF_BOUND:g} of the bound" if shared_enough else "",
            met=ratio >= OF_BOUND * bound if shared_enough else None,
        ),
        lower(f"of it planning, {workload.name}", 1000 * metrics["tree"]["plan_s"], "ms"),
    ]  # fmt: skip


def _sample(prefix: Sequence[int], reply: Sequence[int]) -> TrainingSample:
    mask = [False] * len(prefix) + [True] * len(reply)
    return TrainingSample.demonstration([*prefix, *reply], mask)


def _trainer(share: bool) -> Trainer:
    torch.manual_seed(0)
    mixers = ["lightning", "msa", "lightning", "softmax"] * (LAYERS // 4)
    model = Decoder(
        PolicyConfig.of(
            {
                "vocab_size": VOCAB, "embed_dim": EMBED, "n_heads": 8, "n_kv_heads": 4, "head_dim": EMBED // 8,
                "ffn_dim": 3 * EMBED, "max_context": 1 << 17, "layers": [{"mixer": mixer} for mixer in mixers],
                "norm_eps": 1e-5, "rope": {"theta": 1e4, "rotary_dim": EMBED // 8}, "lightning": {},
                "msa": {"index_dim": EMBED // 8, "block_size": 128, "top_k": 4 * SCALE},
            }
        ),
        dtype=DTYPE,
        device=DEVICE,
    )  # fmt: skip
    config = TrainerConfig(
        optimizer=OptimizerConfig(learning_rate=1e-6),
        objective=ObjectiveConfig(kind="reinforce"),
        share_prefixes=share,
        microbatch_tokens=8192 * SCALE,
        index_loss_coeff=0.0,
    )
    return Trainer(model, config)


def _same_logprobs(tree: Trainer, flat: Trainer, samples: Sequence[TrainingSample]) -> None:
    """Within the rounding of the dtype. Gradients are held to each other by the tests."""
    a, b = (torch.cat(trainer.logprobs(samples)) for trainer in (tree, flat))
    torch.testing.assert_close(a, b, atol=1e-4 if DTYPE == torch.float32 else 0.1, rtol=0)


if __name__ == "__main__":
    main()
