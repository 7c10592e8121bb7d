"""Scripts show what tasks are worth: on a small repository made here, and, at length, on all of the suite."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from agentgym.protocols import Backend
from agentgym.synthesis.octo.breaking import alone, together
from agentgym.synthesis.octo.checking import check_draft
from agentgym.synthesis.octo.draft import Draft
from agentgym.synthesis.octo.environment import Environment, Feature
from agentgym.synthesis.octo.grammar import Shape, drafts, draw
from agentgym.synthesis.octo.rules import RULES

BY_NAME = {rule.name: rule for rule in RULES}


class LocalEnvironment(Environment):
    """A repository that needs no network to be built."""

    @property
    def dockerfile(self) -> str:
        return """FROM python:3.11-bookworm
WORKDIR /testbed
RUN mkdir tiny tests && touch PKG-INFO && for n in $(seq 300); do \\
 printf 'def number_%s():\\n    return %s\\n\\n\\n' $n $n; done > tiny/core.py && echo 'def last():' >> tiny/core.py \\
 && echo '    return None' >> tiny/core.py
RUN git init -q && git config user.name agentgym && git config user.email agentgym@localhost \\
 && git add -A && git commit -qm "Initial state"
"""


TINY = LocalEnvironment(
    package="tiny",
    version="1.0",
    sha256="0" * 64,
    licence="MIT",
    module="tiny/core.py",
    before="def last():",
    tests="tests",
    features=tuple(
        Feature(
            head=f"{name}(value: int, by: int = 2) -> int",
            does=f"{name} a number",
            parameters={"value": "the number", "by": "the other number"},
            body=f"return value {sign} by",
            examples=(f"{name}(4) == {result}", f"{name}(4, 2) == {result}", f"{name}(4, by=2) == {result}"),
        )
        for name, sign, result in (("double", "*", 8), ("halve", "//", 2), ("lower", "-", 2))
    ),
)


def tiny(shape: Shape, number: int = 0) -> Draft:
    return draw(shape, number, TINY, random.Random(f"tiny {shape} {number}"))


def test_rules_are_kept_and_broken(backend: Backend) -> None:
    shown = check_draft(tiny("single"), backend, together, graded=False)
    assert shown.problems == ()
    assert len(shown.kept) == len(shown.broken) == shown.n_program_items > 20


def test_rules_outlast_compaction(backend: Backend) -> None:
    shown = check_draft(tiny("long"), backend, lambda breaches: together(breaches)[:1], graded=False)
    assert shown.problems == ()
    assert any(item.endswith("after_compaction") for item in shown.kept & shown.broken)


def test_conflicts_are_settled_and_told(backend: Backend) -> None:
    shown = check_draft(tiny("user_vs_system"), backend, lambda breaches: alone(breaches)[:2], graded=False)
    assert shown.problems == ()
    assert "system_prompt.conflict_told" in shown.broken
    assert len(shown.broken) == 2


def test_a_rule_that_nobody_can_keep_is_found(backend: Backend) -> None:
    draft = tiny("single")
    stated = draft.stated[0]
    impossible = replace(stated, rule=replace(BY_NAME["tag_octo"], comply={}), text="")
    shown = check_draft(replace(draft, stated=(impossible,)), backend, lambda breaches: [], graded=False)
    assert shown.problems == (f"kept, and fail: {stated.source}.tag_octo",)


def test_a_rule_that_nobody_can_break_is_found(backend: Backend) -> None:
    draft = tiny("single")
    stated = draft.stated[0]
    harmless = replace(stated, rule=replace(BY_NAME["no_sudo"], violate={}), text="")
    shown = check_draft(replace(draft, stated=(harmless,)), backend, alone, graded=False)
    assert shown.problems == (f"broken, and pass: {stated.source}.no_sudo",)


def test_work_that_fails_is_found(backend: Backend) -> None:
    draft = tiny("single")
    shown = check_draft(draft, backend, lambda breaches: [])  # the image has no pytest
    assert len(shown.problems) == 1
    assert "the reward is" in shown.problems[0]


def test_breaches_that_hide_one_another_are_kept_apart() -> None:
    for number in range(7):
        breaches = tiny("turns", number).breaches()
        groups = together(breaches)
        assert sorted(map(id, breaches)) == sorted(id(breach) for group in groups for breach in group)
        assert len(groups) < len(breaches) / 3
        for group in groups:
            said = [breach for breach in group if "instead" in breach.changes]
            assert not (said and any("asides" in breach.changes for breach in group))


@pytest.mark.admission
@pytest.mark.parametrize("backend", ["namespaces"], indirect=True)
@pytest.mark.parametrize("draft", drafts()[::6], ids=lambda draft: draft.name)
def test_suite(draft: Draft, backend: Backend) -> None:
    """Every sixth; `python -m agentgym.synthesis.octo check` plays all, in a quarter of an hour."""
    shown = check_draft(draft, backend)
    assert shown.problems == ()
    assert len(shown.kept) == len(shown.broken) == shown.n_program_items
