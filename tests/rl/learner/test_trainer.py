"""A train step: its loss and gradients are those of the whole batch, however it is cut; and what ends it."""

from __future__ import annotations

import math

import pytest
import torch

from policy.model import PackedContext, score
from rl.errors import Diverged
from rl.learner.optimizer import OptimizerConfig
from rl.learner.sample import TrainingSample
from rl.learner.trainer import Trainer
from rl.objective.cispo import ObjectiveConfig
from tests.rl import small


def moved(trainer: Trainer, samples: list[TrainingSample]) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
    """Metrics of one step, and the weights after it."""
    metrics = trainer.train_step(samples)
    return metrics, {name: weight.detach().clone() for name, weight in trainer.model.named_parameters()}


def test_cispo_by_hand() -> None:
    """Equations 4 and 5 of MiniMax-M1 over single forwards, with the group's tokens as the denominator."""
    trainer, samples = small.trainer(index_loss_coeff=0.0), small.branching()
    model, w_max, loss = small.model(), 3.0, torch.zeros((), dtype=torch.float64)
    for sample in samples:
        scored = score(model, torch.tensor(sample.ids), PackedContext([len(sample.ids)])).logprobs_T
        logprobs = scored[torch.tensor(sample.loss_mask)]
        sampler = torch.tensor(sample.sampler_logprobs, dtype=torch.float64)
        ratio = (logprobs - sampler).exp().clamp(max=w_max).detach()
        tokens = sum(other.n_trained for other in samples if other.group == sample.group)
        loss = loss - (ratio * torch.tensor(sample.advantages, dtype=torch.float64) * logprobs).sum() / tokens / 3
    loss.backward()
    norm = math.sqrt(sum(w.grad.square().sum().item() for w in model.parameters() if w.grad is not None))
    metrics = trainer.train_step(samples)
    assert metrics["loss"] == pytest.approx(loss.item(), abs=1e-9)
    assert metrics["grad_norm"] == pytest.approx(norm, rel=1e-9)
    assert metrics["capped_share"] > 0
    assert metrics["sharing"] > 2
    assert metrics["mismatch/k3_mean"] > 0
    assert trainer.steps == 1


def test_how_a_batch_is_cut_changes_nothing() -> None:
    whole, wanted = moved(small.trainer(index_loss_coeff=0.0), small.branching())
    for config in ({"microbatch_tokens": 50}, {"share_prefixes": False}, {"recompute_activations": True}):
        metrics, weights = moved(small.trainer(index_loss_coeff=0.0, **config), small.branching())
        for name in ("loss", "grad_norm", "ratio_mean", "entropy_mean", "mismatch/k3_mean", "trained_tokens"):
            assert metrics[name] == pytest.approx(whole[name], abs=1e-9), (config, name)
        for name, weight in weights.items():
            torch.testing.assert_close(weight, wanted[name], atol=1e-6, rtol=0, msg=name)
    assert metrics["microbatches"] == 1


def test_index_branches_learn_from_their_loss_alone() -> None:
    before = dict(small.model().named_parameters())
    _, still = moved(small.trainer(index_loss_coeff=0.0), small.branching())
    metrics, learnt = moved(small.trainer(index_loss_coeff=1.0), small.branching())
    assert metrics["index_loss"] > 0
    index = [name for name in before if ".index." in name]
    assert index
    for name in index:
        assert torch.equal(still[name], before[name]), name
        assert not torch.equal(learnt[name], before[name]), name


def test_imitation_learns() -> None:
    """Demonstrations by heart; the loss is the mean cross-entropy."""
    demonstrations = [
        TrainingSample.demonstration([1, 2, 3, n, 5, 6, n], [False, False, False, False, True, True, True], rollout=n)
        for n in (7, 8, 9)
    ]
    trainer = small.trainer(
        small.model(dtype=torch.float32),
        objective=ObjectiveConfig(kind="reinforce"),
        optimizer=OptimizerConfig(learning_rate=3e-2, warmup_steps=2),
    )
    first = trainer.train_step(demonstrations)
    entropy = -torch.cat(trainer.logprobs(demonstrations)).mean().item()
    assert not any(name.startswith("mismatch") for name in first)
    losses = [trainer.train_step(demonstrations)["loss"] for _ in range(25)]
    assert losses[0] == pytest.approx(entropy, rel=1e-5)
    assert losses[-1] < 0.1 < 1 < first["loss"]


def test_reinforcement_learns() -> None:
    """Tokens of positive advantage get likelier, those of negative less so."""
    good, bad = (
        TrainingSample([1, 2, 3, n, n], [False] * 3 + [True] * 2, [a] * 2, [-3.0] * 2) for n, a in ((4, 1.0), (5, -1.0))
    )
    trainer = small.trainer(small.model(dtype=torch.float32))
    before = trainer.logprobs([good, bad])
    for _ in range(5):
        trainer.train_step([good, bad])
    after = trainer.logprobs([good, bad])
    assert after[0].sum() > before[0].sum() + 1
    assert after[1].sum() < before[1].sum()


def test_mismatch_ends_training_before_the_weights_move() -> None:
    trainer = small.trainer(mismatch={"tokens_min": 10, "k3_mean_max": 1e-6})
    before = {name: weight.detach().clone() for name, weight in trainer.model.named_parameters()}
    with pytest.raises(Diverged, match=r"train step 0: mismatch: sampler and trainer disagree over 69 tokens: k3"):
        trainer.train_step(small.branching())
    assert all(torch.equal(weight, before[name]) for name, weight in trainer.model.named_parameters())
    assert all(weight.grad is None for weight in trainer.model.parameters())
    assert trainer.steps == 0


def test_gradients_that_are_no_numbers_end_training() -> None:
    trainer = small.trainer(small.model(moe=False), index_loss_coeff=0.0)
    good = [weight for name, weight in trainer.model.named_parameters() if "layers.0" in name]
    before = [weight.detach().clone() for weight in good]
    trainer.model.norm.weight.register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(Diverged, match="train step 0: found a gradient norm of nan, wanted a number"):
        trainer.train_step(small.branching())
    assert all(torch.equal(a, b) for a, b in zip(good, before, strict=True))


def test_baseline_is_rounding() -> None:
    wide = small.trainer().baseline(small.branching())
    narrow = small.trainer(small.model(dtype=torch.float32)).baseline(small.branching())
    assert wide.delta_max < 1e-10 < narrow.delta_max < 1e-3


def test_refused() -> None:
    trainer = small.trainer()
    with pytest.raises(ValueError, match="found an empty batch"):
        trainer.train_step([])
    with pytest.raises(ValueError, match="without sampler logprobs, and cispo weighs by them"):
        trainer.train_step([TrainingSample.demonstration([1, 2], [False, True])])
    with pytest.raises(ValueError, match="sequence 0 has 36 tokens and a microbatch takes 30"):
        small.trainer(microbatch_tokens=30).train_step(small.branching())
