"""Rules contradict one another where nobody can keep both."""

from __future__ import annotations

import pytest

from agentgym.synthesis.octo.conflict import ABOUT, contradict
from agentgym.synthesis.octo.rules import RULES

BY_NAME = {rule.name: rule for rule in RULES}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("docstring_google", "docstring_numpy", True),
        ("docstring_google", "docstring_google", False),
        ("no_commit", "commit_ticket", True),
        ("no_commit", "no_empty_commits", False),
        ("commit_conventional", "commit_subject_alone", False),
        ("no_comments", "marker_since", True),
        ("no_todo", "marker_since", False),
        ("no_todo", "no_comments", False),
        ("tag_octo", "tag_log", True),
        ("tag_octo", "no_flattery", False),
        ("parametrized", "no_parametrize", True),
        ("parametrized", "three_tests", False),
        ("plan_first", "no_plan", True),
        ("points_two", "points_three", True),
        ("parallel_calls", "one_call_a_reply", True),
        ("opening_summary", "opening_result", False),
        ("docstring_google", "no_commit", False),
    ],
)
def test_contradictions(first: str, second: str, expected: bool) -> None:
    assert contradict(BY_NAME[first], BY_NAME[second]) is expected
    assert contradict(BY_NAME[second], BY_NAME[first]) is expected


def test_every_slot_has_a_contradiction() -> None:
    found = {first.slot for first in RULES for second in RULES if contradict(first, second)}
    assert found == set(ABOUT)
