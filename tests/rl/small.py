"""A tiny model with every mixer and experts, and samples that share what agents' samples share."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

from policy.config import PolicyConfig
from policy.model import Decoder
from rl.learner.optimizer import OptimizerConfig
from rl.learner.sample import TrainingSample
from rl.learner.trainer import Trainer, TrainerConfig
from rl.objective.cispo import ObjectiveConfig

V = 23


def model(*, dtype: torch.dtype = torch.float64, seed: int = 0, moe: bool = True) -> Decoder:
    """Lightning, MSA with blocks of 4 of which a query sees 2, softmax; experts under the first and the last."""
    torch.manual_seed(seed)
    feed_forward = "moe" if moe else "dense"
    decoder = Decoder(
        PolicyConfig.of(
            {
                "vocab_size": V, "embed_dim": 16, "n_heads": 2, "n_kv_heads": 1, "head_dim": 8, "ffn_dim": 24,
                "max_context": 4096, "norm_eps": 1e-5, "rope": {"theta": 1e4, "rotary_dim": 4}, "lightning": {},
                "layers": [{"mixer": "lightning", "feed_forward": feed_forward}, {"mixer": "msa"},
                           {"mixer": "softmax", "feed_forward": feed_forward}],
                "msa": {"index_dim": 4, "block_size": 4, "top_k": 2},
                **({"moe": {"n_experts": 4, "top_k": 2, "expert_dim": 12}} if moe else {}),
            }
        ),
        dtype=dtype,
    )  # fmt: skip
    with torch.no_grad():
        # far from uniform: an error must be able to move a probability
        for parameter in decoder.parameters():
            if parameter.ndim > 1:
                parameter.mul_(10)
    return decoder


def sample(ids: Sequence[int], n_trained: int, *, seed: int = 0, rollout: int = 0, group: int = 0) -> TrainingSample:
    """The last n_trained ids train, with advantages and sampler logprobs of no meaning."""
    rng = random.Random(f"{seed} {rollout} {group}")
    mask = [False] * (len(ids) - n_trained) + [True] * n_trained
    advantages = [rng.uniform(-1, 1) for _ in range(n_trained)]
    return TrainingSample(ids, mask, advantages, [rng.uniform(-4, -1) for _ in range(n_trained)], rollout, group)


def branching() -> list[TrainingSample]:
    """Forks in the middle, at a trained token and at the first one; a prefix of another; the same twice; odd sizes."""
    rng = random.Random(1)
    a = [rng.randrange(V) for _ in range(37)]
    other = [(token + 1) % V for token in a]
    paths = [
        (a, 11), (a[:20] + other[:9], 6), (a[:20] + other[9:10] + a[:3], 4), (a[:29], 5), ([*a[:30], other[30]], 9),
        (a, 11), (other[:13], 12), (a[:2], 1), (a[:20] + other[:5] + a[:8], 10),
    ]  # fmt: skip
    return [sample(ids, n, rollout=r, group=r % 3) for r, (ids, n) in enumerate(paths)]


def trainer(decoder: Decoder | None = None, **config: object) -> Trainer:
    """REINFORCE-like CISPO over all tokens, no limit on the mismatch: the sampler logprobs mean nothing."""
    fields = {
        "optimizer": OptimizerConfig(learning_rate=1e-3),
        "objective": ObjectiveConfig(w_max=3.0),
        "microbatch_tokens": 4096,
        "mismatch": {"tokens_min": 10**9},
        **config,
    }
    return Trainer(model() if decoder is None else decoder, TrainerConfig.model_validate(fields))
