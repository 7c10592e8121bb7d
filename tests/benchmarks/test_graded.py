"""Many answers graded at once are graded as one alone is."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from agentgym.synthesis.repairs.family import Split, sample
from benchmarks.graded import Grader, grader


@pytest.fixture(scope="module")
def graded_by() -> Iterator[Grader]:
    with grader() as made:
        yield made


def test_solutions_are_right_and_nothing_else_is(graded_by: Grader) -> None:
    die = random.Random(0)
    repairs = [sample(Split.TRAIN, die) for _ in range(24)]
    undone = [f"{r.edit.line}|{r.edit.old}=>{r.edit.old}" for r in repairs]
    assert graded_by.rewards(repairs, [str(repair.edit) for repair in repairs]) == [1.0] * 24
    assert graded_by.rewards(repairs, undone) == [0.0] * 24
    assert graded_by.rewards(repairs, ["", "nonsense"] * 12) == [0.0] * 24
    mixed = [str(repair.edit) if n % 3 else "nonsense" for n, repair in enumerate(repairs)]
    assert graded_by.rewards(repairs, mixed) == [float(n % 3 > 0) for n in range(24)]
