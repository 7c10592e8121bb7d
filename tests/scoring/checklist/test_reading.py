from __future__ import annotations

from pathlib import Path

import pytest

from agentgym.errors import TaskError
from agentgym.scoring.checklist import dump_items, parse_items, read_checklist
from agentgym.task import load_task

GOOD = """
[[items]]
id = "SP_no_emoji"
source = "system_prompt"
statement = "No emoji."
persistence = "every_turn"
check = { kind = "no_emoji" }

[[items]]
id = "AG_changelog"
source = "project_file"
statement = "Who changes the library adds a line to the changelog."
severity = "should"
file = "AGENTS.md"
applies_when = { kind = "path_changed", paths = ["src/"] }
check = { kind = "any", checks = [{ kind = "path_changed", paths = "CHANGELOG.md" }, { kind = "no_commit" }] }

[[items]]
id = "UQ_quiet"
source = "system_prompt"
against = "user_query"
statement = "After the first commit nothing is edited."
persistence = "after_event"
check = { kind = "after", event = { action = "commit" }, check = { kind = "not", check = { kind = "event_count", event = { action = ["edit"] }, at_least = 1 } } }

[[items]]
id = "UQ_polite"
source = "user_query"
statement = "Be polite."
judge = "Is every reply polite?"
"""


def task_folder(folder: Path, checklist: str) -> Path:
    files = {
        "task.toml": 'schema_version = "1.1"\n[environment]\ndocker_image = "x"\n[[steps]]\nname = "one"\n[[steps]]\nname = "two"\n',
        "steps/one/instruction.md": "Fix the parser.",
        "steps/two/instruction.md": "Fix the printer.",
        "steps/one/workdir/AGENTS.md": "Keep the changelog.\n",
        "steps/one/workdir/setup.sh": "true\n",
        "steps/two/workdir/.claude/skills/commit/SKILL.md": "Commit well.\n",
        "checklist.toml": checklist,
    }  # fmt: skip
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def test_a_tasks_checklist_knows_what_the_user_says_and_what_is_laid_there(tmp_path: Path) -> None:
    checklist = read_checklist(task_folder(tmp_path, GOOD))
    assert checklist.ids == ("SP_no_emoji", "AG_changelog", "UQ_quiet", "UQ_polite")
    assert [item.id for item in checklist.by_judge] == ["UQ_polite"]
    assert checklist.instructions == ("Fix the parser.", "Fix the printer.")
    assert checklist.given == {
        "AGENTS.md": "Keep the changelog.\n",
        ".claude/skills/commit/SKILL.md": "Commit well.\n",
    }
    assert checklist["UQ_quiet"].against == "user_query"
    assert checklist == read_checklist(load_task(tmp_path))


def test_what_is_read_is_written_and_read_again(tmp_path: Path) -> None:
    items = read_checklist(task_folder(tmp_path, GOOD)).items
    (tmp_path / "checklist.toml").write_text(dump_items(items))
    assert read_checklist(tmp_path).items == items
    assert "severity" not in dump_items(items[:1]), "what was not stated is not written"


def test_a_task_without_a_checklist_has_none_to_read(tmp_path: Path) -> None:
    folder = task_folder(tmp_path, "")
    (folder / "checklist.toml").unlink()
    (folder / "tests").mkdir()
    (folder / "tests" / "test.sh").write_text("true\n")
    with pytest.raises(TaskError, match=r"checklist\.toml: missing$"):
        read_checklist(folder)


def test_a_file_that_nobody_lays_anywhere(tmp_path: Path) -> None:
    folder = task_folder(tmp_path, GOOD.replace('file = "AGENTS.md"', 'file = "AGENT.md"'))
    with pytest.raises(TaskError) as caught:
        read_checklist(folder)
    assert str(caught.value) == (
        f'{folder}/checklist.toml: item "AG_changelog": file: found "AGENT.md", which the task lays nowhere '
        '(nearest known file: "AGENTS.md"); wanted a file of steps/*/workdir or environment'
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "found null as items, wanted one or more [[items]]"),
        ({"item": []}, 'item: unknown key (nearest known key: "items")'),
        ({"items": [3]}, "item 1: found 3, input should be a valid dictionary or instance of item"),
    ],
)
def test_what_is_no_checklist(data: dict[str, object], said: str) -> None:
    with pytest.raises(TaskError) as caught:
        parse_items(data)
    assert str(caught.value).splitlines()[0] == f"checklist.toml: {said}"


def problems(check: object = None, **item: object) -> list[str]:
    data = {"id": "it", "source": "skill", "statement": "Do.", "check": check, **item}
    with pytest.raises(TaskError) as caught:
        parse_items({"items": [{key: value for key, value in data.items() if value is not None}]}, file="c")
    return [line.removeprefix('c: item "it": ') for line in str(caught.value).splitlines()]


NO_EMOJI = {"kind": "no_emoji"}


@pytest.mark.parametrize(
    ("check", "item", "said"),
    [
        ({"kind": "no_emojis"}, {}, ['check: kind: found "no_emojis", wanted a known one (nearest known kind: "no_emoji")']),
        ({"kin": "no_emoji"}, {}, ["check: found no kind, wanted one, such as no_emoji"]),
        ("no_emoji", {}, ["check: found 'no_emoji', wanted a table with a kind"]),
        (None, {}, ["found neither of check and judge, wanted one of them"]),
        (NO_EMOJI, {"judge": "Is it?"}, ["found both of check and judge, wanted one of them"]),
        (NO_EMOJI, {"source": "skil"}, ['source: found "skil", wanted "system_prompt", "system_reminder", "user_query", "project_file", "skill", "memory" or "tool_schema"']),
        (NO_EMOJI, {"severty": "must"}, ['severty: unknown key (nearest known key: "severity")']),
        (NO_EMOJI, {"persistence": "after_event"}, ['found persistence = "after_event" with check kind "no_emoji", wanted kind "after", which names the event']),
        ({"kind": "no_emoji", "were": "last"}, {}, ['check.were: unknown key (nearest known key: "where")']),
        ({"kind": "text_matches", "pattern": "("}, {}, ['check.pattern: found the pattern "(", which is no regular expression: missing ), unterminated subpattern at position 0']),
        ({"kind": "tool_used"}, {}, ["check.tools: missing"]),
        ({"kind": "command_used"}, {}, ["check: found neither programs nor pattern, wanted one of them"]),
        ({"kind": "precedes", "first": {"action": "reads"}, "later": {"paht": "x"}}, {}, ["check.first.action[1]: found \"reads\", wanted \"read\", \"edit\", \"write\", \"delete\", \"search\", \"list\", \"shell\", \"tests\", \"commit\", \"branch\", \"plan\", \"note\", \"skill\", \"agent\", \"ask\", \"web\", \"submit\" or \"other\"", 'check.later.paht: unknown key (nearest known key: "paths")']),
        ({"kind": "all", "checks": [NO_EMOJI, {"kind": "not", "check": {"kind": "alll"}}]}, {}, ['check.checks[2].check: kind: found "alll", wanted a known one (nearest known kind: "all")']),
        ({"kind": "all", "checks": []}, {}, ["check.checks: found [], tuple should have at least 1 item after validation, not 0"]),
        (NO_EMOJI, {"applies_when": {"kind": "tests_runs"}}, ['applies_when: kind: found "tests_runs", wanted a known one (nearest known kind: "tests_run")']),
        ({"kind": "event_count", "event": {}}, {}, ["check: found neither at_least nor at_most, wanted one of them"]),
    ],
)  # fmt: skip
def test_a_mistake_is_a_line(check: object, item: dict[str, object], said: list[str]) -> None:
    assert problems(check, **item) == said


def test_every_problem_of_every_item_is_named_at_once() -> None:
    item = {"id": "a", "source": "skill", "statement": "Do.", "check": NO_EMOJI}
    with pytest.raises(TaskError) as caught:
        parse_items({"items": [item, {**item, "check": {"kind": "x"}}, {"id": "b"}, {**item, "id": ""}]})
    assert [line.removeprefix("checklist.toml: ") for line in str(caught.value).splitlines()] == [
        'item "a": check: kind: found "x", wanted a known one',
        'item "a": item 2 has the id of item 1, wanted ids that differ',
        'item "b": source: missing',
        'item "b": statement: missing',
        'item 4: id: found "", string should have at least 1 character',
    ]
