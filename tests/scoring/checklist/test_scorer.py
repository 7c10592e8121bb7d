from __future__ import annotations

from typing import Any

import pytest

from agentgym.protocols import StopReason
from agentgym.scoring.checklist import Check, Checklist, Finding, Verdict, check, parse_items
from agentgym.scoring.checklist.record import Record
from agentgym.trajectory import Failure
from tests.scoring.checklist.sessions import record

NO_EMOJI = {"kind": "no_emoji"}
TESTED = {"kind": "tests_run"}
TWO_TURNS = """
user | Fix the parser.
do   | Bash {"command": "pytest"}
say  | Fixed. 🎉
user | Fix the printer.
do   | Bash {"command": "pytest"}
say  | Fixed.
"""
ASKED = ("Fix the parser.", "Fix the printer.")


def verdicts(
    *items: dict[str, Any], session: str = TWO_TURNS, asked: tuple[str, ...] = ASKED, **values: Any
) -> list[Verdict]:
    stated = [{"id": str(n), "source": "user_query", "statement": "Do.", **item} for n, item in enumerate(items)]
    return check(Checklist(items=parse_items({"items": stated}), instructions=asked), record(session, **values))


def test_what_holds_in_every_turn_is_told_turn_by_turn() -> None:
    (found,) = verdicts({"check": NO_EMOJI, "persistence": "every_turn"})
    assert (found.result, found.by_query) == ("fail", ("fail", "pass"))
    assert [(one.query, one.turn, one.call, one.quote) for one in found.evidence] == [(0, 1, 1, "Fixed. 🎉")]
    (once,) = verdicts({"check": NO_EMOJI})
    assert (once.result, once.by_query) == ("fail", ())


def test_an_item_that_does_not_apply() -> None:
    applies = {"kind": "path_changed", "paths": ["src/"]}
    program, judged = verdicts({"check": TESTED, "applies_when": applies}, {"judge": "Is it?", "applies_when": applies})
    assert program.result == judged.result == "not_applicable"
    assert program.why == "not changed: src/"
    (unknown,) = verdicts({"check": TESTED, "applies_when": applies}, patch=None)
    assert unknown.result == "error"


def test_a_judges_items_are_left_over() -> None:
    assert verdicts({"judge": "Is it?"}) == []
    assert [found.item for found in verdicts({"judge": "Is it?"}, {"check": TESTED})] == ["1"]


@pytest.mark.parametrize(
    "reason", [reason for reason in StopReason if reason not in (StopReason.SUBMITTED, StopReason.SOLVED)]
)
def test_of_a_trajectory_that_was_cut_short_nothing_passes(reason: StopReason) -> None:
    emoji, tested, nowhere, judged = verdicts(
        {"check": NO_EMOJI},
        {"check": TESTED},
        {"check": TESTED, "applies_when": {"kind": "path_changed", "paths": ["x"]}},
        {"judge": "Is it?"},
        stop_reason=reason,
    )
    assert emoji.result == "fail", "what is broken already stays broken"
    assert {tested.result, nowhere.result, judged.result} == {"error"}
    assert reason in tested.why or "broke off" in tested.why


def test_a_turn_that_was_never_reached_cuts_it_short() -> None:
    session = TWO_TURNS.partition("user | Fix the printer.")[0]
    (found,) = verdicts({"check": TESTED}, session=session)
    assert (found.result, found.why) == ("error", "the episode was cut short: it reached 1 of the user's 2 turns")


def test_a_trajectory_that_holds_nothing_or_broke_off() -> None:
    (empty,) = verdicts({"check": NO_EMOJI}, session="user | Fix it.", asked=("Fix it.",))
    assert (empty.result, empty.why) == ("error", "the trajectory holds no reply")
    lost = Failure(owner="sandbox", type="SandboxLost", message="it died")
    (broken,) = verdicts({"check": TESTED}, stop_reason=StopReason.SANDBOX_LOST, error=lost)
    assert (broken.result, broken.why) == ("error", "the episode broke off: it died")
    (unended,) = verdicts({"check": TESTED}, stop_reason=None, error=None)
    assert unended.why == "the episode broke off: no stop reason"


def test_what_is_not_on_record_cannot_be_told() -> None:
    (found,) = verdicts({"check": {"kind": "path_changed", "paths": ["a"]}}, patch=None)
    assert (found.result, found.why) == ("error", "what was changed is not on record")


def test_one_fail_fails_whatever_cannot_be_told_and_an_error_is_no_pass() -> None:
    unknown = {"kind": "path_changed", "paths": ["a"]}
    results = [
        found.result
        for found in verdicts(
            {"check": {"kind": "all", "checks": [unknown, NO_EMOJI]}},
            {"check": {"kind": "all", "checks": [unknown, TESTED]}},
            {"check": {"kind": "any", "checks": [unknown, TESTED]}},
            {"check": {"kind": "any", "checks": [unknown, NO_EMOJI]}},
            {"check": {"kind": "not", "check": unknown}},
            {"check": {"kind": "if_then", "when": unknown, "then": TESTED}},
            patch=None,
        )
    ]
    assert results == ["fail", "error", "pass", "error", "error", "error"]


class Broken(Check):
    """A check with a fault."""

    kind = "broken"

    def look(self, record: Record) -> Finding:
        raise ZeroDivisionError("oh")


def test_a_check_that_breaks_decides_nothing_and_voids_no_other(caplog: pytest.LogCaptureFixture) -> None:
    broken, tested = verdicts({"check": Broken()}, {"check": TESTED})
    assert (broken.result, broken.why) == ("error", "the check broke: ZeroDivisionError: oh")
    assert tested.result == "pass"
    assert "a check of kind broken broke" in caplog.text


def test_a_record_that_is_broken_tells_nothing() -> None:
    (item,) = parse_items({"items": [{"id": "a", "source": "skill", "statement": "Do.", "check": TESTED}]})
    whole = record(TWO_TURNS)
    torn = whole.model_copy(update={"calls": whole.calls[1:]})
    (found,) = check(Checklist(items=(item,)), torn)
    assert found.result == "error"
    assert found.why == "the record is broken: call 0 goes on from one that comes after it"
