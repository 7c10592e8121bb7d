"""Each task by itself: what is asked is said, can be decided, and does not exclude what else is asked."""

from __future__ import annotations

from collections import Counter

import pytest

from agentgym.synthesis.octo.draft import Draft
from agentgym.synthesis.octo.folder import config, contents
from agentgym.synthesis.octo.grammar import SOURCES, drafts
from agentgym.synthesis.octo.rules import RULES
from agentgym.synthesis.octo.seed import seeds

SCHEMA = "arguments_match_schema"


@pytest.fixture(scope="module")
def suite() -> list[Draft]:
    return drafts()


def spoken(draft: Draft) -> str:
    """All that is said to the agent."""
    gym = config(draft).metadata.agentgym
    files = [text.decode() for name, text in contents(draft).items() if "/workdir/" in name or "instruction" in name]
    return "\n".join([gym.system_prompt, gym.system_reminder, *files])


def test_what_is_checked_is_said(suite: list[Draft]) -> None:
    for draft in suite:
        said = spoken(draft)
        rules = [stated for stated in draft.stated if stated.turn is None and stated.rule.check.get("kind") != SCHEMA]
        assert [stated.text for stated in rules if stated.text not in said] == [], draft.name


def test_what_should_lose_is_said(suite: list[Draft]) -> None:
    for draft in suite:
        if draft.conflict is not None:
            assert draft.loser is not None
            assert draft.loser.text in spoken(draft)
            assert draft.loser.rule not in [stated.rule for stated in draft.stated]


def test_rules_of_a_task_do_not_exclude_one_another(suite: list[Draft]) -> None:
    for draft in suite:
        slots = Counter(stated.rule.slot for stated in draft.stated)
        assert [slot for slot, count in slots.items() if count > 1] == [], draft.name


def test_every_item_is_a_program_or_a_question(suite: list[Draft]) -> None:
    for draft in suite:
        items = draft.items()
        assert len({item.id for item in items}) == len(items)
        assert all(item.check is not None or (item.judge or "").endswith("?") for item in items)


def test_every_program_item_can_be_broken(suite: list[Draft]) -> None:
    for draft in suite:
        programs = {item.id for item in draft.items() if item.check is not None}
        assert programs == {item for breach in draft.breaches() for item in breach.items}, draft.name
    for draft in suite[::6]:
        good = draft.compliant()
        assert all(draft.conducts([breach]) != good for breach in draft.breaches()), draft.name


def test_all_rules_and_seeds_are_used(suite: list[Draft]) -> None:
    used = {stated.rule.name for draft in suite for stated in draft.stated}
    assert [rule.name for rule in RULES if rule.name not in used] == []
    assert {draft.seed.name for draft in suite} == {seed.name for seed in seeds()}


def test_names_of_rules_differ() -> None:
    assert max(Counter(rule.name for rule in RULES).values()) == 1


def test_each_source_speaks_in_many_tasks(suite: list[Draft]) -> None:
    speaking = Counter(source for draft in suite for source in {item.source for item in draft.items()})
    assert all(speaking[source] >= 100 for source in SOURCES)
