"""Tool calls as people read them, whoever's tools they are."""

from __future__ import annotations

import pytest

from agentgym.viewer.action import DIFF_LINES, edited_path, pointer, read_action


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("str_replace", {"path": "a.py", "old": "x = 1", "new": "x = 2"}),
        ("Edit", {"file_path": "a.py", "old_string": "x = 1", "new_string": "x = 2"}),
        ("edit", {"filePath": "a.py", "oldString": "x = 1", "newString": "x = 2"}),
        ("str_replace_editor", {"path": "a.py", "old_str": "x = 1", "new_str": "x = 2", "command": "str_replace"}),
    ],
)
def test_an_edit_is_a_diff(name: str, arguments: dict[str, str]) -> None:
    action = read_action(name, arguments, "/a")
    assert [(line.kind, line.text) for line in action.diff] == [("removed", "x = 1"), ("added", "x = 2")]
    assert action.path == action.summary == edited_path(arguments) == "a.py"
    assert [key for key, _ in action.others] == (["command"] if "command" in arguments else [])


@pytest.mark.parametrize("arguments", [{"path": "a.py", "content": "x\n"}, {"file_path": "a.py", "file_text": "x\n"}])
def test_a_written_file_is_its_content(arguments: dict[str, str]) -> None:
    action = read_action("write", arguments, "/a")
    assert action.content is not None
    assert action.content.head == "x\n"
    assert (action.path, edited_path(arguments), action.others) == ("a.py", "a.py", ())


def test_a_command_is_a_command() -> None:
    action = read_action("bash", {"command": "\nls -l\nid", "timeout_s": 5}, "/a")
    assert action.command is not None
    assert action.command.head == "\nls -l\nid"
    assert action.summary == "ls -l"
    assert [(key, value.head) for key, value in action.others] == [("timeout_s", "5")]


def test_reading_a_file_edits_none() -> None:
    assert edited_path({"path": "a.py", "start_line": 1}) == ""
    assert edited_path("{broken") == ""
    action = read_action("read_file", {"path": "a.py"}, "/a")
    assert action.path == ""
    assert action.summary == "a.py"


def test_broken_arguments_are_shown_as_they_are() -> None:
    action = read_action("bash", '{"command": "ls', "/turns/0/steps/0/arguments")
    assert action.others[0][1].head == '{"command": "ls'


def test_long_arguments_can_be_asked_for() -> None:
    long = "x" * 10_000
    action = read_action("f", {"a/b~c": long}, "/a")
    assert action.others[0][1].at == "/a/a~1b~0c" == pointer("/a", "a/b~c")
    whole = read_action("f", {"x": long}, "/a", whole=True)
    assert whole.others[0][1].at == "/a"


def test_a_long_edit_is_cut() -> None:
    action = read_action("e", {"path": "a", "old": "a\n" * 100, "new": "b\n" * 100}, "/a")
    assert len(action.diff) == DIFF_LINES + 1
    assert action.diff[-1].text == "120 more lines"
