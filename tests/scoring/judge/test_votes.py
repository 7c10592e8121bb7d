from __future__ import annotations

import pytest

from agentgym.scoring.judge.agreement import agreement
from agentgym.scoring.judge.votes import Rule, counted
from agentgym.verdict import Evidence, Result, Verdict


def vote(result: Result) -> Verdict:
    return Verdict(item="x", result=result, why=f"it is a {result}", evidence=(Evidence(quote=result),))


@pytest.mark.parametrize(
    ("rule", "votes", "n_votes", "result"),
    [
        ("majority", ["pass", "pass", "fail"], 3, "pass"),
        ("majority", ["fail", "pass", "fail"], 3, "fail"),
        ("majority", ["pass", "fail"], 2, "error"),
        ("majority", ["pass"], 3, "error"),
        ("majority", ["pass", "pass"], 3, "pass"),
        ("majority", ["pass", "fail", "not_applicable"], 3, "error"),
        ("majority", [], 1, "error"),
        ("min", ["pass", "pass", "fail"], 3, "fail"),
        ("min", ["fail"], 3, "fail"),
        ("min", ["pass", "pass"], 3, "error"),
        ("min", ["pass", "not_applicable", "pass"], 3, "pass"),
        ("min", ["not_applicable", "not_applicable"], 2, "not_applicable"),
    ],
)
def test_votes_are_counted(rule: Rule, votes: list[Result], n_votes: int, result: Result) -> None:
    verdict = counted("x", [vote(one) for one in votes], n_votes, rule, "the rest was lost")
    assert verdict.result == result
    if result != "error":
        assert verdict.evidence == (Evidence(quote=result),)
    elif len(votes) < n_votes:
        assert "votes missing" in verdict.why
        assert "the rest was lost" in verdict.why


def test_cohens_kappa_is_that_of_the_textbook() -> None:
    # Cohen 1960's usual example: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no
    table: dict[tuple[Result, Result], int] = {
        ("pass", "pass"): 20, ("pass", "fail"): 5, ("fail", "pass"): 10, ("fail", "fail"): 15, ("error", "pass"): 7,
    }  # fmt: skip
    found = agreement(pair for pair, n in table.items() for _ in range(n))
    assert (found.n, found.n_agreed, found.n_undecided) == (50, 35, 7)
    assert found.share == pytest.approx(0.7)
    assert found.kappa == pytest.approx(0.4)
    assert found.disagreements == {("pass", "fail"): 5, ("fail", "pass"): 10}


def test_where_chance_explains_everything_there_is_no_kappa() -> None:
    assert agreement([("pass", "pass")] * 3).kappa is None
    assert agreement([]).share is None
