"""`agentgym tasks list` and `show`; `new` and `tests` as far as the command line goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentgym.cli.main import call
from tests.cli.conftest import TASK_TOML, MakeTask


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_list(make_task: MakeTask, capsys: pytest.CaptureFixture[str]) -> None:
    make_task("b-feature", kind="feature")
    make_task("a-bug", **{"tests/tests.json": '{"fail_to_pass": ["t.py::a"], "pass_to_pass": ["t.py::b", "t.py::c"]}'})
    assert call(["tasks", "list"]) == 0
    streams = capsys.readouterr()
    lines = [line.split() for line in streams.out.splitlines()]
    assert lines[0] == ["task", "suite", "kind", "difficulty", "split", "package", "tests"]
    assert lines[2:] == [
        ["a-bug", "tiny", "bug_fix", "easy", "train", "3"],
        ["b-feature", "tiny", "feature", "easy", "train", "0"],
    ]
    assert streams.err == "2 tasks\n"


@pytest.mark.parametrize("options", [[], ["--json"], ["--kind", "bug_fix"]])
def test_list_goes_on_after_a_broken_task(
    options: list[str], make_task: MakeTask, capsys: pytest.CaptureFixture[str]
) -> None:
    make_task("a")
    (make_task("b") / "instruction.md").unlink()
    make_task("c", **{"task.toml": "["})
    make_task("d")
    assert call(["tasks", "list", *options]) == 2
    streams = capsys.readouterr()
    assert [name for name in "abcd" if f"{name} " in streams.out or f'"name": "{name}"' in streams.out] == ["a", "d"]
    errors = [line for line in streams.err.splitlines() if line.startswith("error: ")]
    assert [line.split(":")[1] for line in errors] == [" tasks/tiny/b/instruction.md", " tasks/tiny/c/task.toml"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--kind", "feature"], ["b"]),
        (["--split", "train"], ["a", "b"]),
        (["--split", "heldout"], []),
        (["tiny/a"], ["a"]),
    ],
)
def test_list_only_some(
    options: list[str], names: list[str], make_task: MakeTask, capsys: pytest.CaptureFixture[str]
) -> None:
    make_task("a")
    make_task("b", kind="feature")
    assert call(["tasks", "list", "--json", *options]) == 0
    assert [task["name"] for task in json.loads(capsys.readouterr().out)] == names


def test_show(make_task: MakeTask, capsys: pytest.CaptureFixture[str]) -> None:
    make_task()
    assert call(["tasks", "show", "fix-answer"]) == 0
    streams = capsys.readouterr()
    assert "256 MB memory, 1 CPU, 64 MB storage" in streams.out
    assert streams.out.endswith("# Answer\n\nMake `answer.txt` say right.\n")
    assert streams.err == ""


def test_show_warns_of_unknown_keys(make_task: MakeTask, capsys: pytest.CaptureFixture[str]) -> None:
    make_task(**{"task.toml": TASK_TOML.format(name="x", kind="").replace("memory_mb", "memroy_mb")})
    assert call(["tasks", "show", "fix-answer", "--json"]) == 0
    streams = capsys.readouterr()
    told = json.loads(streams.out)
    assert told["unknown_keys"] == ['environment.memroy_mb (nearest known key: "memory_mb")']
    assert told["instructions"] == {"x": "# Answer\n\nMake `answer.txt` say right.\n"}
    assert streams.err.startswith("warning: tasks/tiny/fix-answer/task.toml: unknown key environment.memroy_mb")


def test_show_is_for_one(make_task: MakeTask, capsys: pytest.CaptureFixture[str]) -> None:
    make_task("a")
    make_task("b")
    assert call(["tasks", "show", "tiny"]) == 2
    assert capsys.readouterr().err == 'error: found 2 tasks for "tiny" (a, b), wanted one\n'


def test_new_says_what_is_left_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "test_it.py").write_text("def test_it():\n    assert True\n")
    assert call(["tasks", "new", "mine", "--from", str(source)]) == 0
    streams = capsys.readouterr()
    assert streams.out == "tasks/local/mine\n"
    assert [line.split()[0] for line in streams.err.splitlines()[1:]] == ["1.", "2.", "3.", "4."]
    assert call(["tasks", "tests", "mine"]) == 2
    assert "solution/fix.patch: found the template as it was" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Mine!", "--from", "."], 'found the name "Mine!"'),
        (["mine", "--from", ".", "--kind", "riddle"], "wanted bug_fix, feature, performance"),
        (["mine", "--from", ".", "--patch", "both"], 'found "both", wanted fix or bug'),
        (["mine", "--from", "nowhere"], "--from nowhere: found nothing there, wanted a folder"),
        (["taken", "--from", "."], "tasks/local/taken: found something there already"),
    ],
)
def test_new_refuses(arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tasks/local/taken").mkdir(parents=True)
    assert call(["tasks", "new", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "tasks/local/mine").exists()
