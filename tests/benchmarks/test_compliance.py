"""That the long sessions which are scored are sessions."""

from __future__ import annotations

from agentgym.scoring.checklist import check, read_checklist, record_of
from benchmarks.compliance import COMPLIANCE, N_CALLS, recordings


def test_recordings_are_made_longer_and_stay_what_they_were() -> None:
    checklist = read_checklist(COMPLIANCE / "task")
    for trajectory in recordings(3):
        assert len(trajectory.calls) == N_CALLS
        record = record_of(trajectory, instructions=checklist.instructions)
        assert len(record.replies) == N_CALLS
        assert record.queries == (0, 1)
        assert {verdict.result for verdict in check(checklist, trajectory)} <= {"pass", "fail", "not_applicable"}
