"""What is chosen follows pass rates, levels and stages, and is the same again."""

from __future__ import annotations

from collections import Counter

import pytest
from pydantic import ValidationError

from rl.tasks.curriculum import Candidate, Curriculum, CurriculumConfig, CurriculumState, Stage

THREE = [Candidate("easy", "a"), Candidate("fair", "a"), Candidate("hard", "b")]


def curriculum(candidates: list[Candidate] = THREE, *, seed: int = 0, **config: object) -> Curriculum:
    return Curriculum(candidates, CurriculumConfig.model_validate({"retry_share": 0.0, **config}), seed=seed)


def counts(chooser: Curriculum, n: int = 600, step: int = 0) -> Counter[str]:
    return Counter(chooser.choose(slot, step).name for slot in range(n))


def test_tasks_that_teach_nothing_are_left_out() -> None:
    chooser = curriculum()
    chooser.record("easy", 8, 8)
    chooser.record("hard", 0, 8)
    assert set(counts(chooser)) == {"fair"}


@pytest.mark.parametrize(("passes", "chosen"), [(0, False), (1, True), (17, True), (18, False), (20, False)])
def test_the_pass_rate_lies_strictly_between_0_and_9_tenths(passes: int, chosen: bool) -> None:
    chooser = curriculum()
    chooser.record("fair", passes, 20)
    assert ("fair" in counts(chooser)) is chosen


def test_few_rollouts_are_not_believed() -> None:
    chooser = curriculum()
    chooser.record("hard", 0, 7)
    assert chooser.pass_rate("hard") is None
    assert "hard" in counts(chooser)
    chooser.record("hard", 0, 1)
    assert chooser.pass_rate("hard") == 0.0


def test_old_rollouts_fade() -> None:
    chooser = curriculum(memory=0.5)
    chooser.record("fair", 0, 8)
    chooser.record("fair", 8, 8)
    assert chooser.pass_rate("fair") == pytest.approx(8 / 12)


def test_what_was_left_out_is_tried_again_now_and_then() -> None:
    chooser = curriculum(retry_share=0.2)
    chooser.record("hard", 0, 8)
    assert counts(chooser)["hard"] / 600 == pytest.approx(0.2 / 2, abs=0.04)


def test_where_all_are_left_out_all_are_tried() -> None:
    chooser = curriculum()
    for candidate in THREE:
        chooser.record(candidate.name, 0, 8)
    assert set(counts(chooser)) == {"easy", "fair", "hard"}


def test_tasks_whose_groups_differ_are_chosen_more_often() -> None:
    """By group: half of the groups all solved and half all failed is a pass rate of 1/2, and teaches nothing."""
    chooser = curriculum(by_learnability=True)
    for _ in range(4):
        for passes in (8, 0):
            chooser.record("easy", passes, 8)
        chooser.record("fair", 4, 8)
    found = counts(chooser)
    assert found["fair"] > 5 * found["easy"] > 0
    assert counts(curriculum(by_learnability=True))["easy"] / 600 == pytest.approx(1 / 4, abs=0.05)


def test_a_group_that_nobody_graded_says_nothing() -> None:
    chooser = curriculum()
    before = chooser.state
    chooser.record("fair", 0, 0)
    assert chooser.state == before


def test_sources_are_mixed_by_stage() -> None:
    stages = [Stage(weights={"a": 3, "b": 1}), Stage(from_step=10, weights={"b": 1})]
    chooser = curriculum(stages=stages)
    early = counts(chooser, step=9)
    assert early["hard"] / 600 == pytest.approx(0.25, abs=0.05)
    assert early["easy"] / early["fair"] == pytest.approx(1.0, abs=0.25)
    assert set(counts(chooser, step=10)) == {"hard"}


def test_the_level_rises_with_skill() -> None:
    levels = [Candidate("one", level=0), Candidate("two", level=2)]
    chooser = curriculum(levels, raise_groups=3, raise_at=0.5)
    assert set(counts(chooser)) == {"one"}
    for passes in (2, 4):
        chooser.record("one", passes, 8)
    chooser.record("two", 8, 8)  # not of the level: says nothing about it
    assert set(counts(chooser)) == {"one"}
    chooser.record("one", 6, 8)
    assert chooser.state.level == 2
    assert set(counts(chooser)) == {"one"}, "two is known to be solved"
    chooser.record("two", 0, 4)
    assert set(counts(chooser)) == {"one", "two"}


def test_the_highest_level_stays() -> None:
    chooser = curriculum([Candidate("one")], raise_groups=1)
    chooser.record("one", 8, 8)
    assert chooser.state.level == 0


def test_the_same_seed_place_and_record_choose_the_same() -> None:
    def choices(seed: int) -> list[str]:
        chooser = curriculum(seed=seed)
        chooser.record("easy", 8, 8)
        return [chooser.choose(slot, 0).name for slot in range(50)]

    assert choices(1) == choices(1)
    assert choices(1) != choices(2)


def test_goes_on_from_json() -> None:
    chooser = curriculum(raise_groups=4)
    for n in range(30):
        chooser.record(chooser.choose(n, 0).name, n % 9, 8)
        state = CurriculumState.model_validate_json(chooser.state.model_dump_json())
        again = Curriculum(THREE, chooser.config, seed=0, state=state)
        assert [again.choose(slot, 0) for slot in range(20)] == [chooser.choose(slot, 0) for slot in range(20)]


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"stages of unknown sources \['c'\]"):
        curriculum(stages=[Stage(weights={"c": 1})])
    with pytest.raises(ValueError, match="found no tasks"):
        curriculum([])
    with pytest.raises(ValidationError, match="wanted them to rise from 0"):
        CurriculumConfig(stages=(Stage(from_step=5, weights={"a": 1}),))
    with pytest.raises(ValidationError, match="one over 0"):
        Stage(weights={"a": 0})
    with pytest.raises(ValidationError, match="is not under"):
        CurriculumConfig(pass_rate_over=0.5, pass_rate_under=0.5)
