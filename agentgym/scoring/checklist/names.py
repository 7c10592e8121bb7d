"""What scaffolds call their tools, and the one name that each goes by here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentgym.scoring.checklist.record import Action

_NAMES: Mapping[Action, str] = {
    "read": "read readfile view notebookread readmanyfiles opennotebook",
    "edit": "edit multiedit strreplace strreplaceeditor strreplacebasededittool applydiff applypatch insertcontent "
    "searchandreplace notebookedit replace patch",
    "write": "write writefile create writetofile createfile",
    "search": "grep search searchfiles glob codebasesearch searchfilecontent find",
    "list": "ls list listfiles listdirectory",
    "shell": "bash execute executecommand shell runterminalcmd runshellcommand terminal",
    "tests": "runtests",
    "plan": "plan todowrite taskcreate taskupdate updatetodolist updateplan writetodos",
    "note": "note savememory memory",
    "skill": "skill",
    "agent": "task agent newtask spawnagent",
    "ask": "question askuserquestion askuser askfollowupquestion",
    "web": "webfetch websearch fetchurl",
    "submit": "submit attemptcompletion",
}
_ACTIONS = {name: action for action, names in _NAMES.items() for name in names.split()}
_PATHS = ("path", "file_path", "filePath", "notebook_path", "filename", "file", "directory_path", "folder")
_COMMANDS = ("command", "cmd")
_NEW = ("content", "file_text", "new", "new_string", "newString", "new_str", "new_source", "diff", "patch")


def plain(name: str) -> str:
    """A tool's name as it is compared: TodoWrite, todo_write and todowrite are the same."""
    return name.replace("_", "").replace("-", "").lower()


def action_of(name: str) -> Action:
    return _ACTIONS.get(plain(name), "other")


def path_in(arguments: Mapping[str, Any] | str) -> str:
    """The file or folder that a call is about."""
    return _text(arguments, _PATHS)


def command_in(arguments: Mapping[str, Any] | str) -> str:
    return _text(arguments, _COMMANDS)


def folder_in(arguments: Mapping[str, Any] | str) -> str:
    """Where a command is to be run; empty: where the agent works."""
    return _text(arguments, ("workdir",))


def new_text_in(arguments: Mapping[str, Any] | str) -> str:
    """What an edit puts into the file."""
    if isinstance(arguments, Mapping) and isinstance(arguments.get("edits"), list):
        return "\n".join(_text(edit, _NEW) for edit in arguments["edits"] if isinstance(edit, Mapping))
    return _text(arguments, _NEW)


def _text(arguments: Mapping[str, Any] | str, keys: tuple[str, ...]) -> str:
    if isinstance(arguments, str):
        return ""
    return next((value for key in keys if isinstance(value := arguments.get(key), str)), "")
