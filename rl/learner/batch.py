"""The tensors of a microbatch of training samples: what one forward computes and what is read off it.

A token's logprob comes from the hidden state before it. So a sample's last token is a target and no input, and the
trained tokens of all samples are (row, target) pairs: at a fork one row has several targets, and samples that agree in
row and target share the pair. Which loss is made of the logprobs is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from kernels.logprob import chosen_logprobs
from policy.model import Choices, Decoder, PackedContext
from rl.learner.packing import pack
from rl.learner.prefix_tree import PrefixTree
from rl.learner.sample import TrainingSample

# T tokens of the forward, N trained tokens of all samples, P pairs


class Logprobs(NamedTuple):
    """Of the trained tokens of a microbatch, sample after sample."""

    logprobs_N: Tensor
    entropy_N: Tensor


@dataclass(frozen=True)
class Microbatch:
    """The samples of one forward, as tensors on the device that computes it."""

    numbers: tuple[int, ...]
    """Which samples of the batch."""
    tree: PrefixTree
    ids_T: Tensor
    rows_P: Tensor
    """Where on the flat axis the hidden state of each pair lies."""
    targets_P: Tensor
    pair_N: Tensor
    """The pair of each trained token."""
    sample_N: Tensor
    """Its sample, as a number of the batch."""
    advantages_N: Tensor
    sampler_logprobs_N: Tensor | None
    choices: Choices | None
    """To replay, one row a token of the flat axis."""

    @classmethod
    def of(
        cls, samples: Sequence[TrainingSample], numbers: Sequence[int], *, share: bool, device: torch.device | str
    ) -> Self:
        """Those samples as one prefix tree, or one after the other where nothing is to be shared."""
        chosen = [samples[number] for number in numbers]
        tree = (PrefixTree.of if share else PrefixTree.flat)([sample.inputs for sample in chosen])
        rows_N = [places[sample.targets - 1] for sample, places in zip(chosen, tree.places, strict=True)]
        targets_N = [np.asarray(sample.ids, dtype=np.int64)[sample.targets] for sample in chosen]
        both_N2 = np.stack((np.concatenate(rows_N), np.concatenate(targets_N)), 1)
        pairs_P2, pair_N = np.unique(both_N2, axis=0, return_inverse=True)
        recorded = [sample.sampler_logprobs for sample in chosen if sample.sampler_logprobs is not None]
        if 0 < len(recorded) < len(chosen):
            raise ValueError("found samples with and without sampler logprobs in one batch: wanted one kind")

        def tensor(values: object, dtype: torch.dtype = torch.int64) -> Tensor:
            return torch.as_tensor(values, dtype=dtype).to(device)

        def joined(parts: Sequence[Sequence[float]]) -> Tensor:
            return tensor(np.concatenate([np.asarray(part, dtype=np.float64) for part in parts]), torch.float64)

        return cls(
            numbers=tuple(numbers),
            tree=tree,
            ids_T=tensor(tree.ids_T),
            rows_P=tensor(pairs_P2[:, 0]),
            targets_P=tensor(pairs_P2[:, 1]),
            pair_N=tensor(pair_N.reshape(-1)),
            sample_N=tensor(np.repeat(numbers, [sample.n_trained for sample in chosen])),
            advantages_N=joined([sample.advantages for sample in chosen]),
            sampler_logprobs_N=joined(recorded) if recorded else None,
            choices=_choices(chosen, tree, device),
        )

    def context(self, *, index_loss_coeff: float = 0.0, collect_losses: bool = False) -> PackedContext:
        """Of one forward."""
        forest = self.tree.forest
        return PackedContext(
            forest.lengths,
            forest.parents,
            device=self.ids_T.device,
            replay=self.choices,
            collect_losses=collect_losses,
            index_loss_coeff=index_loss_coeff,
        )

    def logprobs(self, model: Decoder, context: PackedContext, *, temperature: float = 1.0) -> Logprobs:
        """One forward; the head sees the rows of trained tokens alone, in fp32, and never makes whole logits."""
        hidden_TE = model(self.ids_T, context)
        logprobs_P, entropy_P = chosen_logprobs(
            hidden_TE.index_select(0, self.rows_P), model.head_weight, self.targets_P, temperature=temperature
        )
        return Logprobs(logprobs_P.index_select(0, self.pair_N), entropy_P.index_select(0, self.pair_N))


def microbatches(
    samples: Sequence[TrainingSample], max_tokens: int, *, share: bool = True, device: torch.device | str = "cpu"
) -> list[Microbatch]:
    """A batch in parts of at most max_tokens computed tokens. ValueError: a sample is longer than that."""
    bins = pack([sample.inputs for sample in samples], max_tokens, share=share)
    return [Microbatch.of(samples, numbers, share=share, device=device) for numbers in bins]


def _choices(samples: Sequence[TrainingSample], tree: PrefixTree, device: torch.device | str) -> Choices | None:
    """What was recorded, by token of the flat axis; a token that several samples share has the first one's."""
    recorded = [sample.choices for sample in samples if sample.choices is not None]
    if not recorded:
        return None
    if len(recorded) < len(samples):
        raise ValueError("found samples with and without recorded choices in one batch: wanted one kind")

    def laid_out(of: Callable[[Choices], dict[int, Tensor]]) -> dict[int, Tensor]:
        layers = {}
        for layer, first in of(recorded[0]).items():
            rows_T = first.new_empty(tree.n_tokens, *first.shape[1:])
            for choices, places in list(zip(recorded, tree.places, strict=True))[::-1]:
                rows_T[torch.from_numpy(places)] = of(choices)[layer][: len(places)].to(rows_T.device)
            layers[layer] = rows_T.to(device)
        return layers

    return Choices(laid_out(lambda choices: choices.experts), laid_out(lambda choices: choices.blocks))
