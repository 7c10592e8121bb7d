"""The trainer: batches of training samples in, better weights out, one optimizer step each.

It knows neither where samples come from nor who samples from its weights. Imitation is the same work with the objective
`reinforce` and demonstrations. A step that would learn from noise raises Diverged and leaves the weights as they were.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from pydantic import Field
from torch import Tensor

from policy.model import Decoder
from rl.errors import Diverged
from rl.frozen import Frozen
from rl.learner.batch import Microbatch, microbatches
from rl.learner.lora import LoRAConfig, add_lora, merged
from rl.learner.optimizer import MasterAdamW, OptimizerConfig
from rl.learner.sample import TrainingSample
from rl.objective.cispo import ObjectiveConfig, PolicyGradient, policy_gradient
from rl.objective.denominator import SampleShape, sample_scales
from rl.objective.metrics import objective_metrics
from rl.objective.mismatch import Mismatch, MismatchLimits, exploded, measure

# N trained tokens of a microbatch


class TrainerConfig(Frozen):
    """How a batch is learnt from."""

    optimizer: OptimizerConfig
    objective: ObjectiveConfig = ObjectiveConfig()
    mismatch: MismatchLimits = MismatchLimits()
    lora: LoRAConfig | None = None
    """None: all weights train."""
    microbatch_tokens: int = Field(default=8192, gt=0)
    """Tokens that one forward computes at most; a sample that is longer is refused."""
    share_prefixes: bool = True
    """Compute what samples share once, as a prefix tree; the loss is the same."""
    recompute_activations: bool = False
    """Keep one activation a layer for the backward and compute the others again."""
    index_loss_coeff: float = Field(default=1.0, ge=0)
    """Weight of the loss that MSA's index branches learn from, and they alone. 0: they stand still."""
    temperature: float = Field(default=1.0, gt=0)
    """That of sampling: the probabilities that train are those that were sampled from."""


class Trainer:
    """Works on the decoder it is given: nobody else may change it."""

    def __init__(self, model: Decoder, config: TrainerConfig) -> None:
        self.model, self.config = model, config
        model.requires_grad_(True)
        if config.lora is not None:
            add_lora(model, config.lora)
        model.checkpoint_layers = config.recompute_activations
        trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.optimizer = MasterAdamW(trained, config.optimizer)

    @property
    def steps(self) -> int:
        """Train steps taken."""
        return self.optimizer.steps

    def weights(self) -> dict[str, Tensor]:
        """The state dict of a plain decoder; the tensors change with the next train step."""
        return merged(self.model)

    def train_step(self, samples: Sequence[TrainingSample]) -> dict[str, float]:
        """Learn from a batch; metrics by name.

        Raises:
            ValueError: no sample, one longer than a microbatch, or an objective that needs what samples do not have.
            Diverged: sampler and trainer disagree beyond the limits, or gradients are not finite.
        """
        clock = _Clock()
        with clock("plan_s"):
            parts = self._microbatches(samples)
            scales_S = self._scales(samples)
        n_tokens = sum(part.tree.n_tokens for part in parts)
        auxiliary: defaultdict[str, float] = defaultdict(float)
        passes, entropies, logprobs = [], [], []
        self.optimizer.forget()
        for part in parts:
            with clock("forward_s"):
                context = part.context(collect_losses=True, index_loss_coeff=self.config.index_loss_coeff)
                logprobs_N, entropy_N = part.logprobs(self.model, context, temperature=self.config.temperature)
                gradient = self._policy_gradient(part, logprobs_N, scales_S)
                # means over a microbatch's tokens, put together to that of the batch
                share = part.tree.n_tokens / n_tokens
                losses = {name: share * loss for name, loss in (context.losses or {}).items()}
            with clock("backward_s"):
                sum(losses.values(), gradient.loss).backward()  # type: ignore[no-untyped-call]
            for name, loss in losses.items():
                auxiliary[name.partition("/")[0]] += loss.item()
            passes.append(gradient._replace(loss=gradient.loss.detach()))
            entropies.append(entropy_N.detach())
            logprobs.append(logprobs_N.detach())
        metrics = self._judged(parts, logprobs)
        metrics |= {"learning_rate": self.optimizer.learning_rate}
        with clock("optimizer_s"):
            metrics["grad_norm"] = self.optimizer.step()
        everything = [torch.ones_like(part.sample_N, dtype=torch.bool) for part in parts]
        advantages = [part.advantages_N for part in parts]
        return {
            "loss": sum(each.loss.item() for each in passes),
            **{f"{name}_loss": value for name, value in auxiliary.items()},
            **objective_metrics(passes, advantages, everything, self.config.objective, entropies),
            **metrics,
            "trained_tokens": float(sum(sample.n_trained for sample in samples)),
            "computed_tokens": float(n_tokens),
            "sharing": sum(len(sample.inputs) for sample in samples) / n_tokens,
            "microbatches": float(len(parts)),
            **clock.took_s,
        }

    @torch.no_grad()
    def logprobs(self, samples: Sequence[TrainingSample], *, share_prefixes: bool | None = None) -> list[Tensor]:
        """Of each sample's trained tokens, under the present weights. ValueError: as `train_step`."""
        scored: dict[int, Tensor] = {}
        for part in self._microbatches(samples, share_prefixes):
            logprobs_N, _ = part.logprobs(self.model, part.context(), temperature=self.config.temperature)
            lengths = [samples[number].n_trained for number in part.numbers]
            scored |= dict(zip(part.numbers, torch.split(logprobs_N, lengths), strict=True))
        return [scored[number] for number in range(len(samples))]

    def baseline(self, samples: Sequence[TrainingSample]) -> Mismatch:
        """The trainer against itself, shared prefixes against none: under this, no mismatch with a sampler can come."""
        shared, flat = (torch.cat(self.logprobs(samples, share_prefixes=share)) for share in (True, False))
        return measure(shared, flat, torch.ones_like(flat, dtype=torch.bool))

    def _microbatches(self, samples: Sequence[TrainingSample], share: bool | None = None) -> list[Microbatch]:
        if not samples:
            raise ValueError("found an empty batch, wanted at least one sample")
        share = self.config.share_prefixes if share is None else share
        device = self.model.embedding.weight.device
        return microbatches(samples, self.config.microbatch_tokens, share=share, device=device)

    def _scales(self, samples: Sequence[TrainingSample]) -> Tensor:
        """Of the whole batch, one a sample."""
        objective = self.config.objective
        shapes = [SampleShape(sample.n_trained, sample.rollout, sample.group) for sample in samples]
        scales = sample_scales(shapes, objective.denominator, mix=objective.mix)
        return torch.tensor(scales, dtype=torch.float64, device=self.model.embedding.weight.device)

    def _policy_gradient(self, part: Microbatch, logprobs_N: Tensor, scales_S: Tensor) -> PolicyGradient:
        objective = self.config.objective
        sampler_N = part.sampler_logprobs_N
        if sampler_N is None:
            if objective.importance:
                raise ValueError(
                    f"found samples without sampler logprobs, and {objective.kind} weighs by them: record them, or "
                    'imitate with the objective "reinforce"'
                )
            sampler_N = logprobs_N.detach()
        return policy_gradient(
            logprobs_N,
            sampler_N.to(logprobs_N.dtype),
            part.advantages_N.to(logprobs_N.dtype),
            scales_S[part.sample_N].to(logprobs_N.dtype),
            torch.ones_like(part.sample_N, dtype=torch.bool),
            objective,
        )

    def _judged(self, parts: Sequence[Microbatch], logprobs: Sequence[Tensor]) -> dict[str, float]:
        """The mismatch of the batch; Diverged where it is too great."""
        recorded = [part.sampler_logprobs_N for part in parts if part.sampler_logprobs_N is not None]
        if not recorded:
            return {}
        trainer_N, sampler_N = torch.cat(list(logprobs)), torch.cat(recorded)
        mismatch = measure(trainer_N, sampler_N, torch.ones_like(trainer_N, dtype=torch.bool))
        if (why := exploded(mismatch, self.config.mismatch)) is not None:
            self.optimizer.forget()
            raise Diverged(f"train step {self.steps}: {why}")
        return {f"mismatch/{name}": value for name, value in mismatch.metrics().items()}


class _Clock:
    """Adds up where a step's seconds go."""

    def __init__(self) -> None:
        self.took_s: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.took_s[name] += time.perf_counter() - began
