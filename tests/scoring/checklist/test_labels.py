"""Program checks against labels that were set by hand, over sessions that real scaffolds left."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from agentgym.protocols import StopReason
from agentgym.scoring.checklist import Checklist, Result, Verdict, check, read_checklist
from agentgym.store import TrajectoryStore
from agentgym.trajectory import Trajectory

COMPLIANCE = Path(__file__).parents[2] / "golden" / "compliance"
AGREEMENT = 0.99


@pytest.fixture(scope="module")
def checklist() -> Checklist:
    return read_checklist(COMPLIANCE / "task")


@pytest.fixture(scope="module")
def sessions() -> dict[str, Trajectory]:
    return {trajectory.id: trajectory for trajectory in TrajectoryStore(COMPLIANCE / "trajectories.jsonl")}


@pytest.fixture(scope="module")
def verdicts(checklist: Checklist, sessions: dict[str, Trajectory]) -> dict[tuple[str, str], Verdict]:
    return {
        (name, verdict.item): verdict
        for name, trajectory in sessions.items()
        for verdict in check(checklist, trajectory)
    }


def labels(checklist: Checklist) -> dict[tuple[str, str], Result]:
    """By session and item."""
    stated = tomllib.loads((COMPLIANCE / "labels.toml").read_text())
    found: dict[tuple[str, str], Result] = {}
    for session, marks in stated.items():
        fails, beside = set(marks.get("fail", ())), set(marks.get("not_applicable", ()))
        assert fails | beside <= set(checklist.ids)
        assert not fails & beside
        for item in checklist.ids:
            found[session, item] = "fail" if item in fails else "not_applicable" if item in beside else "pass"
    return found


def test_programs_agree_with_the_labels(checklist: Checklist, verdicts: dict[tuple[str, str], Verdict]) -> None:
    wanted = labels(checklist)
    assert wanted.keys() == verdicts.keys()
    assert len(wanted) >= 300
    others = {key: (verdicts[key].result, label) for key, label in wanted.items() if verdicts[key].result != label}
    agreement = 1 - len(others) / len(wanted)
    print(f"{len(wanted)} labels, {agreement:.2%} agree")
    assert agreement >= AGREEMENT, others


def test_every_item_is_broken_by_some_session_or_kept_by_all_knowingly(checklist: Checklist) -> None:
    broken = {item for (_, item), label in labels(checklist).items() if label == "fail"}
    assert set(checklist.ids) - broken == {"AG_no_print"}


def test_a_fail_leads_to_where_the_rule_was_broken(
    sessions: dict[str, Trajectory], verdicts: dict[tuple[str, str], Verdict]
) -> None:
    helper = verdicts["claude-code-helper-pushes", "SR_no_push"]
    (place,) = helper.evidence
    assert place.call is not None
    assert place.turn is None, "beside the main conversation"
    reply = sessions["claude-code-helper-pushes"].calls[place.call].reply
    assert reply is not None
    assert [call["id"] for call in reply.get("tool_calls", ())] == [place.tool_call]
    emoji = verdicts["claude-code-breaks-some", "SP_no_emoji"]
    assert emoji.by_query == ("fail", "pass")
    (place,) = emoji.evidence
    assert place.turn is not None
    said = sessions["claude-code-breaks-some"].turns[place.turn].message["content"]
    assert said == place.quote
    wide = verdicts["droid-breaks-some", "AG_line_length"]
    assert [(one.file, one.line) for one in wide.evidence] == [("src/shop/price.py", 11)]
    after = verdicts["plan-compacted", "SP_short_ending"]
    assert after.by_query == ("pass", "fail")


def test_what_is_cut_off_passes_nothing(checklist: Checklist, sessions: dict[str, Trajectory]) -> None:
    """Half of a session that keeps every rule."""
    whole = sessions["tools-keeps-all"]
    half = whole.model_copy(
        update={"calls": whole.calls[:6], "turns": whole.turns[:6], "stop_reason": StopReason.TIMEOUT}
    )
    half = Trajectory.model_validate(half.model_dump())
    results = {verdict.result for verdict in check(checklist, half)}
    assert "pass" not in results
    assert "error" in results
