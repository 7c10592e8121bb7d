"""Scoring a trajectory: programs, then a judge; what it comes to; nothing is lost where a check breaks."""

from __future__ import annotations

import logging
import tomllib

import pytest

from agentgym.protocols import StopReason
from agentgym.scoring.checklist import Check, Checklist, Finding, Item, parse_items
from agentgym.scoring.checklist.record import Record
from agentgym.scoring.compliance import compliance
from agentgym.scoring.judge import Judge
from agentgym.scoring.score import decided_by, score
from agentgym.trajectory import Outcome
from agentgym.verdict import Verdict
from tests.scoring.judge.fakes import FakeJudge, honest
from tests.scoring.suites import CHECKLIST
from tests.trajectories import make_trajectory

ITEMS = parse_items(tomllib.loads(CHECKLIST))
POLITE = Item(id="polite", source="user_query", statement="Be polite.", judge="Is it polite?")
DONE = make_trajectory("```bash\ncat a\n```", patch="", outcome=Outcome(reward=0.5, detail="half"))


class Broken(Check):
    kind = "broken"

    def look(self, record: Record) -> Finding:
        raise ZeroDivisionError("this check is wrong")


def results(checklist: Checklist, judge: Judge | None = None) -> dict[str, str]:
    outcome = score(checklist, DONE, judge).outcome
    assert outcome is not None
    return {verdict.item: verdict.result for verdict in outcome.checklist}


def test_verdicts_stand_beside_the_reward_in_the_order_of_the_items() -> None:
    scored = score(Checklist(items=ITEMS), DONE)
    outcome = scored.outcome
    assert outcome is not None
    assert (outcome.reward, outcome.detail) == (0.5, "half")
    assert [verdict.item for verdict in outcome.checklist] == ["no-emoji", "answer-alone", "no-cat"]
    assert [verdict.severity for verdict in outcome.checklist] == ["must", "must", "should"]
    assert scored.model_copy(update={"outcome": DONE.outcome}) == DONE
    assert outcome.judging is None


def test_a_judge_decides_what_no_program_does() -> None:
    judge = Judge(FakeJudge(honest({"Is it polite?": ("fail", "cat a\n```")}), name="j"))
    checklist = Checklist(items=(*ITEMS, POLITE))
    assert results(checklist)["polite"] == "error"
    assert results(checklist, judge)["polite"] == "fail"
    outcome = score(checklist, DONE, judge).outcome
    assert outcome is not None
    assert outcome.judging is not None
    assert (outcome.judging.model, outcome.judging.n_calls) == ("j", 1)


def test_a_judge_may_decide_what_programs_could() -> None:
    asked = "Did the agent keep to this instruction?"
    says = {f"{asked} {item.statement}": ("pass", "cat a\n```") for item in ITEMS}
    outcome = score(Checklist(items=ITEMS), DONE, Judge(FakeJudge(honest(says))), judge_all=True).outcome
    assert outcome is not None
    assert [(verdict.kind, verdict.result) for verdict in outcome.checklist] == [
        ("no_emoji", "pass"), ("only_paths", "pass"), ("command_unused", "pass"),
    ]  # fmt: skip


def test_a_check_that_breaks_is_an_error_and_told_of(caplog: pytest.LogCaptureFixture) -> None:
    item = Item(id="x", source="skill", statement="X.", check=Broken())
    with caplog.at_level(logging.CRITICAL):
        found = score(Checklist(items=(item,)), DONE).outcome
    assert found is not None
    assert [verdict.result for verdict in found.checklist] == ["error"]
    assert "this check is wrong" in found.checklist[0].why


def test_an_item_is_known_by_the_checks_that_decide_it() -> None:
    text = """
    items = [
      {id = "a", source = "skill", statement = "A.", judge = "A?"},
      {id = "b", source = "skill", statement = "B.", check = {kind = "not", check = {kind = "no_emoji"}}},
      {id = "c", source = "skill", statement = "C.", check = {kind = "all", checks = [{kind = "no_emoji"}, {kind = "no_commit"}]}},
    ]"""
    assert [decided_by(item) for item in parse_items(tomllib.loads(text))] == [
        "judge",
        "no_emoji",
        "no_emoji + no_commit",
    ]


@pytest.mark.parametrize(
    ("results", "stop_reason", "isr", "csr"),
    [
        ("pp", StopReason.SUBMITTED, True, 1.0),
        ("pn", StopReason.SOLVED, True, 1.0),
        ("nn", StopReason.SUBMITTED, True, None),
        ("pf", StopReason.SUBMITTED, False, 0.5),
        ("pe", StopReason.SUBMITTED, None, 1.0),
        ("fe", StopReason.SUBMITTED, False, 0.0),
        ("ee", StopReason.TIMEOUT, False, 0.0),
        ("fe", StopReason.AGENT_ERROR, False, 0.0),
        ("ee", StopReason.SANDBOX_LOST, None, None),
        ("ee", StopReason.GRADER_ERROR, None, None),
        ("ee", None, None, None),
    ],
)
def test_what_verdicts_come_to(
    results: str, stop_reason: StopReason | None, isr: bool | None, csr: float | None
) -> None:
    names = {"p": "pass", "f": "fail", "e": "error", "n": "not_applicable"}
    verdicts = [Verdict.model_validate({"item": str(n), "result": names[result]}) for n, result in enumerate(results)]
    found = compliance(verdicts, make_trajectory("x", stop_reason=stop_reason))
    assert (found.isr, found.csr) == (isr, csr)
