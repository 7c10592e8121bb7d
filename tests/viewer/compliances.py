"""A run that was scored by checklists, as it might be."""

from __future__ import annotations

import random

from agentgym.protocols import StopReason
from agentgym.scoring.compliance import compliance
from agentgym.trajectory import Failure, Outcome, TaskRef, Trajectory
from agentgym.verdict import Evidence, ItemVerdict, Judging, Result
from tests.viewer.episodes import rich

ITEMS = [
    ("SP_no_emoji", "system_prompt", "must", "no_emoji", "Write without emoji in every message.", 0.97),
    ("SP_no_time_estimates", "system_prompt", "must", "no_time_estimates", "Promise no durations.", 0.93),
    ("SP_read_before_edit", "system_prompt", "must", "read_before_edit", "Read a file before you edit it.", 0.95),
    ("Reminder_hidden", "system_reminder", "must", "no_reminder_leak", "Do not tell the user of reminders.", 0.99),
    ("Query_only_src", "user_query", "must", "only_paths", "Change nothing outside of src and tests.", 0.9),
    ("Agents_docstrings", "project_file", "must", "docstrings", "Every public function has a docstring.", 0.7),
    ("Agents_no_sed", "project_file", "should", "command_unused", "Edit with the edit tool, not with sed.", 0.82),
    ("Skill_release_notes", "skill", "must", "path_changed", "Note what changed in CHANGES.md.", 0.64),
    ("Memory_prefers_uv", "memory", "should", "command_used", "Run tests by `python -m pytest -q`.", 0.76),
    ("Tools_arguments", "tool_schema", "must", "arguments_match_schema", "Arguments match the schema.", 0.98),
    ("Query_polite", "user_query", "should", "judge", "Answer the user's second question first.", 0.8),
]
QUOTES = (
    "It prints PT1.5S: the microseconds are written",
    "281 passed in 1.52s",
    "sed -i 's/a/b/' src/isodate/isostrf.py",
)


def scored(task: str, scaffold: str, die: random.Random, *, skill: float = 0.0, **values: object) -> Trajectory:
    verdicts = [_verdict(item, die, skill) for item in ITEMS]
    bare = rich(task=task, scaffold=scaffold, id=f"{die.getrandbits(64):016x}", **values)
    outcome = Outcome(
        reward=float(die.random() < 0.6),
        checklist=verdicts,
        compliance=compliance(verdicts, bare),
        judging=Judging(model="a-judge", votes=3, rule="majority", n_calls=3, prompt_tokens=21_500, completion_tokens=310, cost_usd=0.061),
    )  # fmt: skip
    return bare.model_copy(
        update={"outcome": outcome, "task": TaskRef(name=task, checksum=f"sum-{task}", suite="octo")}
    )


def suite(die: random.Random, n_tasks: int = 12) -> list[Trajectory]:
    """Three agents, one run of each task, and one that was lost."""
    skills = {"claude-code": 0.02, "kilo": -0.05, "tools": -0.12}
    made = [scored(f"octo-{n:03d}", name, die, skill=skill) for n in range(n_tasks) for name, skill in skills.items()]
    failure = Failure(owner="sandbox", type="SandboxLost", message="the sandbox died: out of memory")
    lost = rich(task="octo-004", scaffold="droid", id="lost", stop_reason=StopReason.SANDBOX_LOST, error=failure)
    errors = [ItemVerdict(**{**dict(verdict), "result": "error", "why": "the episode broke off", "evidence": ()}) for verdict in made[0].outcome.checklist]  # type: ignore[union-attr]  # fmt: skip
    outcome = Outcome(reward=None, checklist=errors, compliance=compliance(errors, lost))
    return [*made, lost.model_copy(update={"outcome": outcome})]


def _verdict(item: tuple[str, str, str, str, str, float], die: random.Random, skill: float) -> ItemVerdict:
    name, source, severity, kind, statement, chance = item
    results: list[Result] = ["pass" if die.random() < chance + skill - 0.06 * turn else "fail" for turn in range(3)]
    every_turn = source in ("system_prompt", "system_reminder")
    result: Result = ("fail" if "fail" in results else "pass") if every_turn else results[0]
    if source == "skill" and die.random() < 0.3:
        result = "not_applicable"
    turn = die.randrange(5)
    by_file = kind in ("docstrings", "path_changed")
    place = Evidence(file="src/isodate/isostrf.py", line=132, quote="def strftime(tdt):") if by_file else Evidence(
        turn=turn, call=turn, quote=die.choice(QUOTES)
    )  # fmt: skip
    return ItemVerdict(
        item=name,
        result=result,
        why="" if result == "pass" else f"turn {turn + 1} says otherwise" if not by_file else "one function has none",
        evidence=(place,) if result == "fail" else (),
        by_query=tuple(results) if every_turn else (),
        source=source,
        severity=severity,
        kind=kind,
        statement=statement,
    )
