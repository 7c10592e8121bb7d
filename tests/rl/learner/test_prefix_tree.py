"""The trie and its packing: what is shared is there once, every sequence can be read back, budgets hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.model import PackedContext
from rl.learner.packing import pack
from rl.learner.prefix_tree import Ids, PrefixTree

few_ids = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9).map(np.array), min_size=1, max_size=12)


def ids(text: str) -> Ids:
    return np.array([ord(letter) for letter in text])


def test_drawn() -> None:
    """The picture in the module's docstring, the longer branch first."""
    tree = PrefixTree.of([ids("abcd"), ids("abcef"), ids("ab")])
    assert (tree.forest.lengths, tree.forest.parents) == ((3, 2, 1), (-1, 0, 0))
    assert "".join(map(chr, tree.ids_T)) == "abcefd"
    assert [places.tolist() for places in tree.places] == [[0, 1, 2, 5], [0, 1, 2, 3, 4], [0, 1]]
    assert tree.sharing == 11 / 6


def test_a_conversation_that_only_grows_is_one_segment() -> None:
    tree = PrefixTree.of([ids("abcdefgh"[:n]) for n in (2, 8, 5, 8)])
    assert tree.forest.lengths == (8,)


def test_long_branches_make_long_chains() -> None:
    """A spine with a short branch at each turn: one chain, and one for each branch."""
    spine = "abcdefghijklmnopqrstuvw"
    tree = PrefixTree.of([ids(spine), *(ids(spine[:n] + "XY") for n in range(2, 20, 2))])
    assert len(tree.forest.chains) == 10
    assert len(tree.forest.chains[0].tokens) == len(spine)
    assert max(tree.forest.depths) == 9


@given(few_ids)
def test_every_sequence_is_there_and_nothing_twice(sequences: list[Ids]) -> None:
    tree = PrefixTree.of(sequences)
    for sequence, places in zip(sequences, tree.places, strict=True):
        assert tree.ids_T[places].tolist() == sequence.tolist()
    assert tree.n_tokens == unique(sequences)
    # a token's position is that in each sequence that has it
    positions = PackedContext(tree.forest.lengths, tree.forest.parents).positions_T
    for places in tree.places:
        assert positions[places].tolist() == list(range(len(places)))
    flat = PrefixTree.flat(sequences)
    assert flat.n_tokens == sum(map(len, sequences))
    assert [flat.ids_T[places].tolist() for places in flat.places] == [sequence.tolist() for sequence in sequences]


@given(few_ids, st.integers(9, 30))
def test_bins_hold_every_sequence_once_within_the_budget(sequences: list[Ids], budget: int) -> None:
    bins = pack(sequences, budget)
    assert sorted(number for bin in bins for number in bin) == list(range(len(sequences)))
    assert all(unique([sequences[number] for number in bin]) <= budget for bin in bins)
    if unique(sequences) <= budget:
        assert len(bins) == 1
    flat = pack(sequences, budget, share=False)
    assert sorted(number for bin in flat for number in bin) == list(range(len(sequences)))
    assert all(sum(len(sequences[number]) for number in bin) <= budget for bin in flat)


def test_groups_stay_together() -> None:
    """Three prompts with five answers each; a bin holds one prompt and its answers, or little more."""
    prompts = [ids(letter * 20) for letter in "abc"]
    answers = [ids(letter * 4) for letter in "vwxyz"]
    sequences = [np.concatenate((prompt, answer)) for answer in answers for prompt in prompts]
    assert [[number % 3 for number in bin] for bin in pack(sequences, 45)] == [[0] * 5, [1] * 5, [2] * 5]
    # where a group has to be cut, both parts hold the prompt, and nobody else's
    cut = pack(sequences, 32)
    assert all(len({number % 3 for number in bin}) == 1 for bin in cut)
    assert sorted(len(bin) for bin in cut) == [2, 2, 2, 3, 3, 3]


def test_refused() -> None:
    with pytest.raises(ValueError, match="sequence 1 has 5 tokens and a microbatch takes 4: raise the budget"):
        pack([ids("ab"), ids("abcde")], 4)
    with pytest.raises(ValueError, match="sequence 1 is empty"):
        PrefixTree.of([ids("ab"), ids("")])


def unique(sequences: list[Ids]) -> int:
    return len({tuple(sequence[:n].tolist()) for sequence in sequences for n in range(1, len(sequence) + 1)})
