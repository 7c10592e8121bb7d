"""The loss against its closed form: where gradient flows, and where it must not."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from rl.objective.cispo import ObjectiveConfig, PolicyGradient, policy_gradient
from rl.objective.denominator import SampleShape, sample_scales
from rl.objective.metrics import objective_metrics

CISPO = ObjectiveConfig()


@dataclass
class Tokens:
    """A batch laid out flat."""

    trainer: Tensor
    sampler: Tensor
    advantages: Tensor
    scales: Tensor
    mask: Tensor
    sample: Tensor

    def take(self, where: Tensor) -> Tokens:
        return Tokens(**{name: tensor[where] for name, tensor in vars(self).items()})

    def loss(self, config: ObjectiveConfig) -> tuple[PolicyGradient, Tensor]:
        """The loss, and its gradient in the trainer's logprobs."""
        trainer = self.trainer.clone().requires_grad_()
        out = policy_gradient(trainer, self.sampler, self.advantages, self.scales, self.mask, config)
        out.loss.backward()
        assert trainer.grad is not None
        return out, trainer.grad


SHAPES = [SampleShape(5, rollout=0, group=0), SampleShape(3, rollout=1, group=0), SampleShape(2, rollout=1, group=0),
          SampleShape(1, rollout=2, group=1), SampleShape(7, rollout=3, group=1), SampleShape(0, rollout=4, group=2)]  # fmt: skip


def batch(config: ObjectiveConfig = CISPO, *, seed: int = 0, spread: float = 2.5) -> Tokens:
    """Random, float64: samples of 2 prompt tokens and what trains, ratios on both sides of every bound."""
    g = torch.Generator().manual_seed(seed)
    scales = sample_scales(SHAPES, config.denominator, mix=config.mix)
    sample = torch.tensor([i for i, shape in enumerate(SHAPES) for _ in range(2 + shape.n_tokens)])
    mask = torch.cat([torch.arange(2 + shape.n_tokens) >= 2 for shape in SHAPES])
    T = len(sample)
    sampler = -torch.rand(T, generator=g, dtype=torch.float64) * 3
    trainer = sampler + spread * torch.randn(T, generator=g, dtype=torch.float64)
    advantages = torch.randn(T, generator=g, dtype=torch.float64)
    return Tokens(trainer, sampler, advantages, torch.tensor(scales, dtype=torch.float64)[sample], mask, sample)


def test_gradient_is_the_hand_formula() -> None:
    tokens = batch()
    out, gradient = tokens.loss(CISPO)
    ratio = (tokens.trainer - tokens.sampler).exp()
    weight = ratio.clamp(max=5.0)
    wanted = -(weight * tokens.advantages * tokens.scales * tokens.mask)
    torch.testing.assert_close(gradient, wanted)
    torch.testing.assert_close(out.loss, (wanted * tokens.trainer).sum())
    assert (ratio[tokens.mask] > 5).any(), "some token is over the cap"


def test_a_token_over_the_cap_trains_with_the_cap_as_its_weight() -> None:
    one = torch.ones(1, dtype=torch.float64)
    for advantage in (2.0, -2.0):
        tokens = Tokens(0 * one, -9 * one, advantage * one, one / 4, one.bool(), one)
        _, gradient = tokens.loss(ObjectiveConfig(w_max=3.0))
        assert gradient.item() == pytest.approx(-3.0 * advantage / 4)


def test_no_gradient_flows_through_the_ratio() -> None:
    """A ratio with gradient would add its own term to d(loss) = w A; the sampler's side would get one too."""
    tokens = batch()
    trainer, sampler = tokens.trainer.clone().requires_grad_(), tokens.sampler.clone().requires_grad_()
    out = policy_gradient(
        trainer, sampler, tokens.advantages, tokens.scales, tokens.mask, ObjectiveConfig(w_max=math.inf)
    )
    assert not out.weight_T.requires_grad
    assert not out.ratio_T.requires_grad
    assert torch.autograd.grad(out.loss, sampler, allow_unused=True, retain_graph=True) == (None,)
    (gradient,) = torch.autograd.grad(out.loss, trainer)
    ratio = (tokens.trainer - tokens.sampler).exp()
    torch.testing.assert_close(gradient, -(ratio * tokens.advantages * tokens.scales * tokens.mask))


@pytest.mark.parametrize("kind", ["cispo", "ppo", "grpo", "dapo", "reinforce"])
def test_gradcheck_with_the_weights_held(kind: str) -> None:
    """The loss is linear in the logprobs once the weights are constants, which numerical differences do not know."""
    config = ObjectiveConfig(kind=kind)
    tokens = batch(config)
    weight, log_ratio = tokens.loss(config)[0].weight_T, tokens.trainer - tokens.sampler

    def held(x: Tensor) -> Tensor:
        """The loss at x; the sampler's logprobs move along, so that the weights stay."""
        return policy_gradient(x, x.detach() - log_ratio, tokens.advantages, tokens.scales, tokens.mask, config).loss

    x = tokens.trainer.clone().requires_grad_()
    assert torch.autograd.gradcheck(held, (x,))
    torch.testing.assert_close(tokens.loss(config)[1], -(weight * tokens.advantages * tokens.scales))


def test_without_a_cap_and_on_policy_it_is_reinforce() -> None:
    tokens = replace(batch(), sampler=batch().trainer)
    uncapped = tokens.loss(ObjectiveConfig(w_max=math.inf))
    plain = tokens.loss(ObjectiveConfig(kind="reinforce", denominator="group_tokens"))
    by_hand = -(tokens.advantages * tokens.scales * tokens.mask)
    for _, gradient in (uncapped, plain):
        torch.testing.assert_close(gradient, by_hand)
    torch.testing.assert_close(uncapped[0].loss, plain[0].loss)


def test_reinforce_is_blind_to_the_ratio() -> None:
    tokens = batch(ObjectiveConfig(kind="reinforce"))
    _, gradient = tokens.loss(ObjectiveConfig(kind="reinforce"))
    torch.testing.assert_close(gradient, -(tokens.advantages * tokens.scales * tokens.mask))


@pytest.mark.parametrize(("kind", "low", "high"), [("ppo", 0.2, 0.2), ("grpo", 0.2, 0.2), ("dapo", 0.2, 0.28)])
def test_peers_have_the_gradient_of_their_own_papers(kind: str, low: float, high: float) -> None:
    """min(r A, clip(r) A) as PPO writes it, differentiated by autograd, ratios and all."""
    config = ObjectiveConfig(kind=kind)
    tokens = batch(config, spread=0.4)
    trainer = tokens.trainer.clone().requires_grad_()
    ratio = (trainer - tokens.sampler).exp()
    surrogate = torch.minimum(ratio * tokens.advantages, ratio.clamp(1 - low, 1 + high) * tokens.advantages)
    (-(surrogate * tokens.scales * tokens.mask).sum()).backward()
    _, gradient = tokens.loss(config)
    torch.testing.assert_close(gradient, trainer.grad)
    assert (gradient[tokens.mask] == 0).any(), "some token is clipped"


def test_the_mask_of_eq_7_has_the_support_of_ppos_gradient() -> None:
    tokens = batch(spread=0.4)
    _, gradient = tokens.loss(ObjectiveConfig(trust_low=0.2, trust_high=0.3))
    ratio = (tokens.trainer - tokens.sampler).exp()
    dropped = ((tokens.advantages > 0) & (ratio > 1.3)) | ((tokens.advantages < 0) & (ratio < 0.8))
    assert dropped[tokens.mask].any()
    assert torch.equal(gradient != 0, tokens.mask & ~dropped)


@pytest.mark.parametrize("denominator", ["group_tokens", "global_tokens", "rollout_mean", "rollout_token_mix"])
@pytest.mark.parametrize("kind", ["cispo", "dapo"])
def test_splitting_packing_and_order_change_nothing(denominator: str, kind: str) -> None:
    config = ObjectiveConfig(kind=kind, denominator=denominator)
    tokens = batch(config)
    whole, gradient = tokens.loss(config)
    order = torch.randperm(len(tokens.mask), generator=torch.Generator().manual_seed(1))
    loss, scattered = torch.zeros((), dtype=torch.float64), torch.zeros_like(gradient)
    for part in order.split(7):  # microbatches that cut through samples and mix them
        out, its_gradient = tokens.take(part).loss(config)
        loss += out.loss.detach()
        scattered[part] = its_gradient
    torch.testing.assert_close(loss, whole.loss.detach())
    torch.testing.assert_close(scattered, gradient)


def test_what_lies_outside_the_mask_may_be_anything() -> None:
    tokens = batch()
    _, clean = tokens.loss(CISPO)
    for name in ("trainer", "sampler", "advantages", "scales"):
        getattr(tokens, name)[~tokens.mask] = math.nan
    out, gradient = tokens.loss(CISPO)
    assert out.loss.isfinite()
    torch.testing.assert_close(gradient, clean)


def test_a_broken_ratio_does_not_overflow() -> None:
    one = torch.ones(1)
    out, gradient = Tokens(0 * one, -1000 * one, one, one, one.bool(), one).loss(ObjectiveConfig(w_max=math.inf))
    assert out.ratio_T.item() == pytest.approx(math.exp(20.0))
    assert gradient.isfinite()


def test_metrics_by_hand() -> None:
    ratio = torch.tensor([0.5, 1.0, 2.0, 8.0, 10.0, 1.0], dtype=torch.float64)
    advantages = torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0, 1.0], dtype=torch.float64)
    mask = torch.tensor([True] * 5 + [False])
    scales = torch.ones_like(ratio)
    entropies = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 99.0], dtype=torch.float64)
    config = ObjectiveConfig(trust_high=0.5)
    halves = [slice(0, 2), slice(2, 6)]
    passes = [policy_gradient(ratio.log()[h], 0 * ratio[h], advantages[h], scales[h], mask[h], config) for h in halves]
    metrics = objective_metrics(
        passes, [advantages[h] for h in halves], [mask[h] for h in halves], config, [entropies[h] for h in halves]
    )
    assert metrics == pytest.approx({
        "ratio_mean": 21.5 / 5, "ratio_p95": 10.0, "ratio_max": 10.0, "capped_share": 2 / 5,
        "capped_share_positive": 1 / 3, "capped_share_negative": 1 / 2, "untrusted_share": 2 / 5,
        "weight_mean": (0.5 + 1 + 5) / 5, "effective_share": 21.5**2 / (5 * 169.25), "entropy_mean": 3.0,
    })  # fmt: skip


def test_metrics_of_no_token_are_none() -> None:
    none = torch.zeros(2)
    out = policy_gradient(none, none, none, none, none.bool(), CISPO)
    assert out.loss == 0
    assert objective_metrics([out], [none], [none.bool()], CISPO) == {}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"w_max": 0.99}, "w_max\n  Input should be greater than or equal to 1"),
        ({"w_max": math.nan}, "greater than or equal to 1"),
        ({"w_mx": 5.0}, 'unknown key (nearest known key: "w_max")'),
        ({"kind": "pppo"}, "'cispo', 'ppo', 'grpo', 'dapo' or 'reinforce'"),
        ({"denominator": "tokens"}, "'group_tokens', 'global_tokens'"),
    ],
)
def test_bad_settings_are_refused(setting: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        ObjectiveConfig.model_validate(setting)
    assert said in str(error.value)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as error:
        ObjectiveConfig.model_validate({"w_max": 0.5, "mix": 2, "trust_hi": 1})
    assert {problem["loc"] for problem in error.value.errors()} == {("w_max",), ("mix",), ("trust_hi",)}


def test_a_kind_sets_what_is_not_set_beside_it() -> None:
    assert ObjectiveConfig() == ObjectiveConfig(kind="cispo", w_max=5.0, denominator="group_tokens")
    dapo = ObjectiveConfig(kind="dapo", trust_high=0.4)
    assert (dapo.trust_low, dapo.trust_high, dapo.w_max) == (0.2, 0.4, math.inf)
    assert ObjectiveConfig(kind="grpo").denominator == "rollout_mean"


@pytest.mark.parametrize("name", ["sampler", "advantages", "scales", "mask"])
def test_shapes_that_do_not_fit_are_refused(name: str) -> None:
    tokens = batch()
    setattr(tokens, name, getattr(tokens, name)[:-1])
    with pytest.raises(ValueError, match=rf"{name}\w*: found shape \[{len(tokens.trainer) - 1}\], wanted"):
        tokens.loss(CISPO)


def test_half_precision_is_refused() -> None:
    tokens = batch()
    with pytest.raises(ValueError, match="wanted float32 or float64"):
        replace(tokens, trainer=tokens.trainer.bfloat16()).loss(CISPO)


def test_random_batches_agree_with_loops() -> None:
    """Eq. 4 read aloud: over groups, over rollouts' samples, over tokens."""
    for seed in range(5):
        tokens = batch(seed=seed)
        total, groups = 0.0, sorted({shape.group for shape in SHAPES if shape.n_tokens})
        for group in groups:
            members = [i for i, shape in enumerate(SHAPES) if shape.group == group]
            n_tokens = sum(SHAPES[i].n_tokens for i in members)
            for t in range(len(tokens.mask)):
                if tokens.mask[t] and int(tokens.sample[t]) in members:
                    weight = min(math.exp(tokens.trainer[t] - tokens.sampler[t]), 5.0)
                    total -= weight * float(tokens.advantages[t] * tokens.trainer[t]) / n_tokens / len(groups)
        assert tokens.loss(CISPO)[0].loss.item() == pytest.approx(total)
