"""The numbers of a report, each worked out by hand."""

from __future__ import annotations

import pytest

from agentgym.protocols import StopReason
from agentgym.scoring.report import Report, ScoredRun, report
from agentgym.scoring.report.rate import rate
from agentgym.store import encode
from tests.scoring.report.runs import lost, run, trajectory, verdict
from tests.trajectories import make_trajectory


def test_isr_and_csr_are_what_they_are_named() -> None:
    runs = [
        run({"emoji": "pass", "read": "pass", "tone": "pass"}, task="a"),
        run({"emoji": "pass", "read": "fail", "tone": "not_applicable"}, task="b"),
        run({"emoji": "fail", "read": "fail", "tone": "pass"}, task="c"),
    ]
    found = report(runs).overall
    assert (found.n_runs, found.n_tasks) == (3, 3)
    assert found.isr.value == pytest.approx(1 / 3)
    assert found.csr_micro.value == pytest.approx(5 / 8)
    assert found.csr_macro.value == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    by_source = {group.name: group for group in found.by["source"]}
    assert by_source["project_file"].csr.value == pytest.approx(1 / 3)
    assert (by_source["user_query"].n_not_applicable, by_source["user_query"].isr.n) == (1, 2)
    assert {group.name: group.csr.value for group in found.by["severity"]} == {"must": 0.5, "should": 1.0}
    assert {group.name: group.csr.n for group in found.by["decider"]} == {"judge": 2, "program": 6}
    assert [group.name for group in found.by["kind"]] == ["judge", "no_emoji", "read_before_edit"]


def test_a_failed_run_counts_as_failed_and_a_broken_off_one_not_at_all() -> None:
    good = run({"emoji": "pass", "read": "pass"}, task="a")
    failed = run({"emoji": "error", "read": "error"}, task="b", stop_reason=StopReason.MAX_TURNS, reward=0.0)
    found = report([good, failed, lost("c")])
    assert (found.overall.n_runs, found.overall.n_failed, found.overall.n_broke_off) == (2, 1, 1)
    assert (found.overall.isr.value, found.overall.isr_at_most.value) == (0.5, 0.5)
    assert (found.overall.csr_micro.value, found.overall.csr_macro.value) == (0.5, 0.5)
    assert found.undecided == []
    [broken] = found.broke_off
    assert (broken.task, broken.owner, broken.message) == ("c", "sandbox", "it is gone")


def test_what_is_not_decided_makes_no_run_compliant() -> None:
    found = report(
        [run({"emoji": "pass", "tone": "error"}, task="a"), run({"emoji": "fail", "tone": "error"}, task="b")]
    )
    overall = found.overall
    assert (overall.isr.value, overall.isr_at_most.value, overall.isr_programs.value) == (0.0, 0.5, 0.5)
    assert overall.csr_micro.value == 0.5
    assert [(item.item, item.n) for item in found.undecided] == [("tone", 1), ("tone", 1)]


def test_success_stands_beside_compliance() -> None:
    runs = [
        run({"emoji": "pass"}, reward=1.0),
        run({"emoji": "fail"}, reward=1.0),
        run({"emoji": "fail"}, reward=1.0),
        run({"emoji": "pass"}, reward=0.0),
        run({"emoji": "error"}, reward=0.0),
    ]
    matrix = report(runs).overall.matrix
    assert (matrix.solved_compliant, matrix.solved_broken) == (1, 2)
    assert (matrix.unsolved_compliant, matrix.unsolved_broken, matrix.n_unknown) == (1, 0, 1)


def test_decay_is_seen_over_the_users_turns() -> None:
    runs = [
        run([verdict("emoji", "fail", by_query=("pass", "pass", "fail"), turn=2)], task="a"),
        run([verdict("emoji", "fail", by_query=("pass", "fail", "not_applicable"), turn=1)], task="b"),
    ]
    overall = report(runs).overall
    assert [(turn.turn, turn.csr.value, turn.csr.n) for turn in overall.user_turns] == [
        (1, 1.0, 2),
        (2, 0.5, 2),
        (3, 0.0, 1),
    ]
    assert overall.broken_at == {2: 1, 3: 1}


def test_each_agent_has_its_own_summary() -> None:
    found = report([run({"emoji": "pass"}, scaffold="tools"), run({"emoji": "fail"}, scaffold="bash")])
    assert [(agent.scaffold, agent.summary.isr.value) for agent in found.agents] == [("tools", 1.0), ("bash", 0.0)]
    assert Report.model_validate_json(found.model_dump_json()) == found
    assert report([]).overall.isr.value is None


def test_the_interval_is_that_of_tasks_and_the_same_each_time() -> None:
    half = rate((f"task {n}", n % 2, 1) for n in range(100))
    assert half.value == 0.5
    assert half.low == pytest.approx(0.4, abs=0.03)  # 0.5 - 1.96 * sqrt(0.25 / 100)
    assert half.high == pytest.approx(0.6, abs=0.03)
    assert half == rate((f"task {n}", n % 2, 1) for n in range(100))
    # ten runs of each task tell no more than one
    often = rate((f"task {n % 100}", n % 2, 1) for n in range(1000))
    assert (often.low, often.high) == (half.low, half.high)
    alone = rate([("a", 1, 2), ("a", 1, 2)])
    assert (alone.value, alone.low, alone.high, alone.n) == (0.5, None, None, 4)


def test_a_run_is_read_from_its_line_as_from_its_trajectory() -> None:
    scored = trajectory({"emoji": "pass", "tone": "fail"})
    assert ScoredRun.model_validate_json(encode(scored)) == ScoredRun.model_validate(scored)
    bare = make_trajectory("x", outcome=None)
    assert ScoredRun.model_validate_json(encode(bare)).outcome.compliance is None
