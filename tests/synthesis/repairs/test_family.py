"""The family: instances that are what they say, splits that share nothing."""

from __future__ import annotations

import random

import pytest

from agentgym.synthesis.repairs.bugs import bugs
from agentgym.synthesis.repairs.catalogue import TEMPLATES
from agentgym.synthesis.repairs.catalogue.filters import COMPARISONS, FILTERS
from agentgym.synthesis.repairs.edit import Edit
from agentgym.synthesis.repairs.family import Split, make, sample, shown_bugs, templates, values
from agentgym.synthesis.repairs.lexemes import lexemes
from agentgym.synthesis.repairs.names import CONSTANTS, NAMES, choices, is_constant
from agentgym.synthesis.repairs.repair import Repair
from agentgym.synthesis.repairs.running import compiled, outcome
from agentgym.synthesis.repairs.template import Template, fill

SEEN = templates(Split.TRAIN)


def n_right(source: str, repair: Repair) -> int:
    function = compiled(source)
    return sum(outcome(function, case.arguments) == case.wanted for case in repair.cases)


def rewritten(repair: Repair) -> str:
    """The fixed source under other names: another text that does the same."""
    other: dict[str, str] = {}
    for hole, value in repair.values.items():
        keeps = is_constant(hole) or hole == "f"
        taken = {*repair.values.values(), *other.values()}
        other[hole] = value if keeps else next(name for name in choices(hole) if name not in taken)
    return fill(repair.template.code, other)


@pytest.mark.parametrize("split", Split)
def test_calls_tell_the_bug_from_every_fix(split: Split) -> None:
    for template in templates(split):
        repair = make(template, split, 7)
        n = len(repair.cases)
        assert n >= 8, template.name
        assert n_right(repair.broken, repair) <= n - 2, template.name
        assert n_right(repair.fixed, repair) == n, template.name
        assert rewritten(repair) != repair.fixed
        assert n_right(rewritten(repair), repair) == n, template.name


@pytest.mark.parametrize("split", Split)
def test_edit_mends_the_file(split: Split) -> None:
    rng = random.Random(5)
    for _ in range(100):
        repair = sample(split, rng)
        assert Edit.parse(str(repair.edit)).apply(repair.broken) == repair.fixed
        call, gives, wanted = repair.example
        assert call.startswith(repair.values["f"])
        assert gives != wanted


def test_same_arguments_same_repair() -> None:
    assert make(SEEN[3], Split.TRAIN, 11) == make(SEEN[3], Split.TRAIN, 11)
    first, second = (sample(Split.HELDOUT, random.Random(2)) for _ in range(2))
    assert (first.broken, first.cases, first.doc) == (second.broken, second.cases, second.doc)
    assert len({make(SEEN[3], Split.TRAIN, seed).broken for seed in range(20)}) > 15


def test_split_of_another_template_is_refused() -> None:
    with pytest.raises(ValueError, match="not of the split unseen"):
        make(SEEN[0], Split.UNSEEN, 0)


@pytest.mark.parametrize("template", SEEN, ids=lambda template: template.name)
def test_held_out_shares_no_name_no_constant_and_no_place_of_a_bug(template: Template) -> None:
    for hole in template.holes:
        train, held_out = (set(values(template, hole, split)) for split in (Split.TRAIN, Split.HELDOUT))
        assert train
        assert held_out
        assert not train & held_out
        assert train | held_out == set(choices(hole))
    train_bugs, held_out_bugs = (set(shown_bugs(template, split)) for split in (Split.TRAIN, Split.HELDOUT))
    assert train_bugs
    assert held_out_bugs
    assert not {(bug.kind, bug.start) for bug in train_bugs} & {(bug.kind, bug.start) for bug in held_out_bugs}
    assert train_bugs | held_out_bugs <= set(bugs(template))


def test_no_source_is_in_two_splits() -> None:
    drawn = {split: {(r.doc, r.broken) for r in _many(split, 300)} for split in Split}
    for first in Split:
        for second in Split:
            assert first is second or not drawn[first] & drawn[second]


def test_unseen_templates_are_no_others() -> None:
    unseen = {template.name for template in templates(Split.UNSEEN)}
    assert unseen.isdisjoint(template.name for template in SEEN)
    assert len(unseen) >= 10
    assert len(SEEN) >= 40
    assert len(TEMPLATES) == len(unseen) + len(SEEN)
    assert len({template.code for template in TEMPLATES.values()}) == len(TEMPLATES)


def test_files_are_short_and_difficulty_tells_them_apart() -> None:
    drawn = _many(Split.TRAIN, 200)
    assert all(15 <= len(lexemes(repair.broken)) <= 60 for repair in drawn)
    assert min(repair.difficulty for repair in drawn) < 4 < max(repair.difficulty for repair in drawn)


def test_no_name_has_two_roles() -> None:
    names = [name for pool in NAMES.values() for name in pool]
    assert len(names) == len(set(names))
    assert all(len(lexemes(name)) == 1 for name in names)
    assert all(len(set(pool)) >= 8 for pool in (*NAMES.values(), *CONSTANTS.values()))


def _many(split: Split, n: int) -> list[Repair]:
    rng = random.Random(1)
    return [sample(split, rng) for _ in range(n)]


def test_what_an_unseen_filter_combines_is_seen_apart() -> None:
    seen = [(template.name.removesuffix(f"_{c}"), c) for template in SEEN for c in COMPARISONS if _is(template, c)]
    unseen = [(t.name.removesuffix(f"_{c}"), c) for t in templates(Split.UNSEEN) for c in COMPARISONS if _is(t, c)]
    assert len(unseen) >= 15
    assert {use for use, _ in unseen} <= {use for use, _ in seen}
    assert {comparison for _, comparison in unseen} <= {comparison for _, comparison in seen}


def _is(template: Template, comparison: str) -> bool:
    return template in FILTERS and template.name.endswith(f"_{comparison}")
