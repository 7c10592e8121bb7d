"""Tokens as coloured cells."""

from __future__ import annotations

import math

from agentgym.call import CallTokens
from agentgym.viewer.tokens import cells


def test_each_token_has_its_text_probability_and_version() -> None:
    tokens = CallTokens(
        sampled=[5, 6, 7],
        texts=["a", "", "c"],
        logprobs=[-0.01, math.log(0.5), -9.0],
        versions=[(3, 2), (4, 1)],
    )
    made = list(cells(tokens))
    assert [(cell.text, cell.id, cell.version) for cell in made] == [("a", 5, 3), ("", 6, 3), ("c", 7, 4)]
    assert [cell.shade for cell in made] == [0, 2, 5]
    assert math.isclose(made[1].probability, 0.5)


def test_ids_alone_are_shown() -> None:
    (cell,) = cells(CallTokens(sampled=[5]))
    assert (cell.text, cell.id, cell.logprob, cell.version, cell.shade) == ("", 5, None, None, 0)
