"""One step on tensors: chunks in, sampled ids out. It runs in the engine's worker thread and owns model and cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor

from policy.engine.cache import Cache
from policy.engine.context import PagedContext
from policy.engine.errors import RequestError
from policy.engine.native import Native
from policy.engine.pack import PackedWeight
from policy.engine.sampler import Sampled, sample
from policy.engine.scheduler import Chunk
from policy.engine.twin import repack, twin
from policy.model import Decoder

# T tokens of the step, N requests that sample, E embedding, V vocabulary

Weights = Mapping[str, Tensor] | Callable[[Decoder], None]
"""New weights: a whole state dict, copied into the model; or a function that changes the model in place."""


class Runner:
    def __init__(self, model: Decoder, cache: Cache, native: Native | None) -> None:
        self.model, self.cache = model, cache
        self._native = native
        self._served = twin(model, native) if native else model
        self._take_head()

    @torch.inference_mode()
    def step(self, chunks: Sequence[Chunk], copies: list[tuple[int | None, int]]) -> Sampled:
        """Compute chunks, one-token ones first, and sample for those that want it, in their order."""
        self.cache.copy_states(copies)
        ids = [id for chunk in chunks for id in chunk.request.ids[chunk.start : chunk.start + chunk.n]]
        context = PagedContext(chunks, self.cache, self._native)
        hidden_TE = self._served(torch.tensor(ids, device=self.cache.device), context)
        ends = accumulate(chunk.n for chunk in chunks)
        last = [(end - 1, chunk.request) for end, chunk in zip(ends, chunks, strict=True) if chunk.samples]
        if not last:
            return Sampled([], [])
        if len(last) < len(ids):
            hidden_TE = hidden_TE[torch.tensor([row for row, _ in last], device=self.cache.device)]
        logits_NV = self._head(hidden_TE.to(self._head_dtype))
        return sample(logits_NV, [request.params for _, request in last], [request.uniform() for _, request in last])

    def update(self, weights: Weights) -> None:
        """RequestError: a state dict that does not fit; the model is as it was."""
        if callable(weights):
            with torch.no_grad():
                weights(self.model)
        else:
            _fits(self.model, weights)
            self.model.load_state_dict(weights)
        if self._native:
            repack(self._served)
        self._take_head()

    def _take_head(self) -> None:
        """The head in fp32, upcast once a version instead of once a step; the model's own tensor where that is wide."""
        weight_VE = self.model.head_weight.detach()
        weight_VE = weight_VE.to(torch.promote_types(weight_VE.dtype, torch.float32))
        self._head_dtype = weight_VE.dtype
        self._head: Callable[[Tensor], Tensor] = partial(F.linear, weight=weight_VE)
        if self._native:
            self._head = PackedWeight(weight_VE, Native(torch.float32)).linear


def _fits(model: Decoder, weights: Mapping[str, Tensor]) -> None:
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    wrong = [f"{name} is missing" for name in own if name not in given]
    wrong += [f"{name} is unknown" for name in given if name not in own]
    wrong += [f"{name} is {given[name]}, not {own[name]}" for name in own if name in given and given[name] != own[name]]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise RequestError(f"these weights do not fit the model: {'; '.join(wrong[:3])}{more}; nothing was changed")
