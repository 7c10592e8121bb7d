"""AdamW whose weights and moments are fp32 whatever the model computes in: bf16 would lose eps and small steps.

MiniMax-M1 (arXiv 2506.13585, section 3.2) found gradients from 1e-18 to 1e-5, hence the eps. Weights in bf16 or fp16
get an fp32 master, in which the gradients of all microbatches are summed too. It knows no model: names and weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from rl.errors import Diverged, StateError
from rl.frozen import Frozen


class OptimizerConfig(Frozen):
    """AdamW; the defaults are MiniMax-M1's."""

    learning_rate: float = Field(gt=0)
    """After the warm-up."""
    warmup_steps: int = Field(default=0, ge=0)
    """Updates over which the rate rises linearly from nothing."""
    decay_steps: int | None = Field(default=None, gt=0)
    """Updates, the warm-up's among them, over which the rate falls linearly to nothing. None: it stays."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Memory of the mean of gradients, a step."""
    beta2: float = Field(default=0.95, ge=0, lt=1)
    """Memory of the mean of their squares, a step."""
    eps: float = Field(default=1e-15, gt=0)
    """Under all gradients that matter; 1e-8 is over most of them."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled; of matrices alone."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients of a greater norm, over all weights, are scaled down to it."""


class MasterAdamW:
    """Gradients come by `backward`, as often as wanted; then `step`."""

    def __init__(self, weights: Mapping[str, nn.Parameter], config: OptimizerConfig) -> None:
        """The weights that train, by name. ValueError: there are none."""
        if not weights:
            raise ValueError("found no weight that trains, wanted at least one")
        self.config = config
        self.steps = 0
        """Taken so far."""
        self._weights = dict(weights)
        self._masters: dict[str, nn.Parameter] = {}
        for name, weight in weights.items():
            master = weight
            if torch.promote_types(weight.dtype, torch.float32) != weight.dtype:
                master = nn.Parameter(weight.detach().float())
                weight.register_post_accumulate_grad_hook(_Upcast(master))  # type: ignore[no-untyped-call]
            self._masters[name] = master
        matrices = [master for master in self._masters.values() if master.ndim > 1]
        others = [master for master in self._masters.values() if master.ndim <= 1]
        self._adam = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}],
            lr=config.learning_rate,
            betas=(config.beta1, config.beta2),
            eps=config.eps,
        )

    @property
    def learning_rate(self) -> float:
        """Of the step to come."""
        config = self.config
        left = 1.0 if config.decay_steps is None else max(0.0, 1.0 - self.steps / config.decay_steps)
        return config.learning_rate * min(left, (self.steps + 1) / (config.warmup_steps + 1))

    def step(self) -> float:
        """Move the weights and forget the gradients; the norm that these had. Diverged: it is not finite."""
        masters = list(self._masters.values())
        norm = nn.utils.clip_grad_norm_(masters, self.config.max_grad_norm).item()
        if not math.isfinite(norm):
            self.forget()
            raise Diverged(
                f"train step {self.steps}: found a gradient norm of {norm}, wanted a number; the weights are as they "
                "were: go back to the last checkpoint, with a lower learning rate"
            )
        for group in self._adam.param_groups:
            group["lr"] = self.learning_rate
        self._adam.step()
        self.forget()
        self.steps += 1
        with torch.no_grad():
            for weight, master in self._pairs():
                weight.copy_(master)
        return norm

    def forget(self) -> None:
        """Drop gradients that are not wanted any more."""
        self._adam.zero_grad()

    def state(self) -> dict[str, Tensor]:
        """Masters (of weights that have one apart) and moments, by name; `steps` is beside it."""
        tensors = {
            f"master/{name}": master.detach()
            for name, master in self._masters.items()
            if master is not self._weights[name]
        }
        for name, master in self._masters.items():
            for moment in ("exp_avg", "exp_avg_sq"):
                if master in self._adam.state:
                    tensors[f"{moment}/{name}"] = self._adam.state[master][moment]
        return tensors

    def restore(self, tensors: Mapping[str, Tensor], steps: int) -> None:
        """What `state` gave. StateError: it is of other weights."""
        kinds = {tuple(name.split("/", 1)) for name in tensors}
        wrong = sorted(f"{kind}/{name}" for kind, name in kinds if name not in self._masters)
        wrong += [
            f"{name} {list(tensor.shape)}"
            for name, tensor in tensors.items()
            if (own := self._masters.get(name.split("/", 1)[1])) is not None and own.shape != tensor.shape
        ]
        wrong += [
            f"master/{name} missing"
            for name, master in self._masters.items()
            if master is not self._weights[name] and f"master/{name}" not in tensors
        ]
        if wrong:
            raise StateError(f"this optimizer state is of another model ({wrong[0]}): load the one it was saved with")
        self.steps = steps
        with torch.no_grad():
            for name, master in self._masters.items():
                if f"master/{name}" in tensors:
                    master.copy_(tensors[f"master/{name}"])
                self._adam.state.pop(master, None)
                if f"exp_avg/{name}" in tensors:
                    moments = {m: tensors[f"{m}/{name}"].to(master) for m in ("exp_avg", "exp_avg_sq")}
                    self._adam.state[master] = {"step": torch.tensor(float(steps)), **moments}
            for weight, master in self._pairs():
                weight.copy_(master)

    def _pairs(self) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
        for name, master in self._masters.items():
            if master is not self._weights[name]:
                yield self._weights[name], master


class _Upcast:
    """After each backward: a weight's gradient goes to its master, in fp32."""

    def __init__(self, master: nn.Parameter) -> None:
        self.master = master

    def __call__(self, weight: Tensor) -> None:
        assert weight.grad is not None
        if self.master.grad is None:
            self.master.grad = weight.grad.float()
        else:
            self.master.grad += weight.grad
        weight.grad = None
