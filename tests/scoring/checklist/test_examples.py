"""Every kind of check has recorded sessions that it passes, and one small change to each that it then fails."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from agentgym.scoring.checklist import KINDS, Checklist, check, parse_items
from agentgym.scoring.checklist.verdict import Verdict
from agentgym.store import TrajectoryStore
from tests.scoring.checklist.sessions import instructions, patch_of, record

FILES = sorted((Path(__file__).parent / "examples").glob("*.toml"))
EXAMPLES = [
    pytest.param(example, id=f"{file.stem}-{number}-{example['check']['kind']}")
    for file in FILES
    for number, example in enumerate(tomllib.loads(file.read_text())["examples"], start=1)
]
KEYS = {"check", "session", "patch", "reminder", "find", "replace", "result", "evidence", "given"}


def verdict(example: dict[str, Any], **changed: str) -> Verdict:
    session, patch = changed.get("session", example["session"]), changed.get("patch", example.get("patch", ""))
    items = parse_items(
        {"items": [{"id": "it", "source": "user_query", "statement": "Do.", "check": example["check"]}]}
    )
    trajectory = record(session, patch=patch_of(patch), reminder=example.get("reminder", ""))
    given = example.get("given", {})
    (found,) = check(Checklist(items=items, instructions=instructions(session), given=given), trajectory)
    return found


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_session_passes_and_its_mutation_fails(example: dict[str, Any]) -> None:
    assert set(example) <= KEYS
    kept = verdict(example)
    assert kept.result == "pass", kept
    place = "patch" if example["find"] in example.get("patch", "") else "session"
    assert example["find"] in example[place], "the mutation changes nothing"
    broken = verdict(example, **{place: example[place].replace(example["find"], example["replace"])})
    assert broken.result == example.get("result", "fail"), broken
    assert broken.why
    if "evidence" in example:
        assert any(example["evidence"] in f"{one.file}:{one.line} {one.quote}" for one in broken.evidence), broken


def test_every_kind_has_an_example() -> None:
    shown = {name for example in EXAMPLES for name in kinds_in(example.values[0]["check"])}  # type: ignore[call-overload,index]
    assert sorted(set(KINDS) - shown) == []


def kinds_in(data: Any) -> set[str]:
    """All kinds that a check is made of."""
    if isinstance(data, dict):
        own = {data["kind"]} if isinstance(data.get("kind"), str) else set()
        return own.union(*(kinds_in(value) for value in data.values()))
    return set().union(*map(kinds_in, data)) if isinstance(data, list) else set()


def test_no_check_breaks_on_any_recording(caplog: pytest.LogCaptureFixture) -> None:
    """All examples' checks over all sessions that real scaffolds left: whatever they find, none breaks."""
    checks = [example.values[0]["check"] for example in EXAMPLES]  # type: ignore[call-overload,index]
    stated = [{"id": str(n), "source": "skill", "statement": "Do.", "check": one} for n, one in enumerate(checks)]
    checklist = Checklist(items=parse_items({"items": stated}))
    golden = Path(__file__).parents[2] / "golden"
    files = [golden / "compliance" / "trajectories.jsonl", *sorted((golden / "agents").glob("*.jsonl"))]
    results = [found.result for file in files for one in TrajectoryStore(file) for found in check(checklist, one)]
    assert set(results) == {"pass", "fail", "not_applicable"}
    assert caplog.text == ""
