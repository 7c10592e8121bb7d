from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentgym.errors import TaskError
from agentgym.scoring.checklist.octobench import read_rows, write_rows
from agentgym.scoring.checklist.verdict import Verdict

ROWS = Path(__file__).parents[2] / "data" / "octobench.jsonl"


def test_rows_are_written_as_they_were_read() -> None:
    assert "".join(write_rows(read_rows(ROWS))) == ROWS.read_text()


def test_free_text_checks_are_a_judges_items() -> None:
    one, two = (row.to_checklist() for row in read_rows(ROWS))
    assert [(item.id, item.source) for item in one.items] == [
        ("SP_no_emoji", "system_prompt"),
        ("SP_read_before_modify", "system_prompt"),
        ("Claude_conventional_commits", "project_file"),
    ]
    assert one["SP_read_before_modify"].judge == "Is it true that the assistant reads README.md before it changes it?"
    assert one.workdir == "/workspace/course-builder"
    assert [item.source for item in two.items] == ["system_reminder", "tool_schema"]
    assert two["SystemReminder_hidden_from_user"].judge == "The reminder is never mentioned: 不要提及"
    assert two["Tool_schema_args"].judge == "Is it true that all arguments match the schema?"
    assert two.instructions == ("Look.", "Fix it.")
    assert not [*one.by_program, *two.by_program]


def test_verdicts_are_written_as_their_evaluator_does_and_none_is_missing() -> None:
    row = read_rows(ROWS)[0]
    judged = row.with_verdicts(
        [
            Verdict(item="SP_no_emoji", result="pass", why="none"),
            Verdict(item="SP_read_before_modify", result="not_applicable"),
            Verdict(item="invented", result="pass"),
        ]
    )
    checks = [check for category in judged["checklist"].values() for check in category["checks"]]
    assert [(check["check_id"], check["result"], check["reasoning"]) for check in checks] == [
        ("SP_no_emoji", "success", "none"),
        ("Claude_conventional_commits", "fail", "no verdict"),
    ]
    assert checks[0]["check_type"] == "compliance"
    assert "".join(write_rows([row])) == ROWS.read_text().splitlines(keepends=True)[0], "the row itself stays as it was"


def test_all_that_is_malformed_is_named_a_line_each(tmp_path: Path) -> None:
    good = json.loads(ROWS.read_text().splitlines()[0])
    file = tmp_path / "rows.jsonl"
    rows = [
        json.dumps(good),
        "{torn",
        json.dumps({**good, "instance_id": "b", "user_query": []}),
        json.dumps({**good, "instance_id": "c", "checklist": {"Skil": {"checks": []}}}),
        json.dumps({**good, "instance_id": "d", "checklist": {"SP": {"checks": [{"description": "x"}]}}}),
        json.dumps({**good, "instance_id": "e", "checklist": {}}),
        json.dumps(good),
        json.dumps([1]),
        json.dumps({**good, "instance_id": "f", "checklist": {"SP": {"checks": [{"check_id": "x", "description": "x"}] * 2}}}),
    ]  # fmt: skip
    file.write_text("\n".join(rows))
    with pytest.raises(TaskError) as caught:
        read_rows(file)
    assert [line.removeprefix(f"{file}:") for line in str(caught.value).splitlines()] == [
        "2: not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        "3: user_query: tuple should have at least 1 item after validation, not 0",
        '4: checklist: found the category "Skil", wanted one of the seven sources (nearest known category: "skill")',
        "5: checklist.SP.checks.0.check_id: field required",
        "6: checklist: found no checks, wanted one or more",
        '7: instance_id: found "md-course-builder-conventional-commits", which line 1 has',
        "8: input should be a valid dictionary or instance of octoinstance",
        "9: items: found several items with id x, wanted ids that differ",
    ]
