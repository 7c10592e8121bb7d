from __future__ import annotations

import pytest

from agentgym.env import Episode
from agentgym.protocols import ToolContext
from scaffolds.memory import Notes
from scaffolds.memory.files import MAX_BYTES
from scaffolds.memory.notes import PATH
from tests.scaffolds.memory.conftest import Setup


def test_notes_are_added_to_a_file_and_recalled(episode: Episode, context: ToolContext) -> None:
    notes = Notes(episode)
    [tool] = notes.tools
    assert notes.recall() == ""
    for text in ("the bug is in 'parse'; $HOME", "tests: `make t`\nslow"):
        assert tool.call({"text": text}, context).content == "Noted."
    assert episode.sandbox.read(PATH).decode() == "- the bug is in 'parse'; $HOME\n- tests: `make t`\nslow\n"
    assert "- the bug is in 'parse'; $HOME\n- tests: `make t`\nslow" in notes.recall()
    assert episode.sandbox.diff() == []


def test_a_user_without_rights_may_note(humble: Episode) -> None:
    notes = Notes(humble)
    context = ToolContext(sandbox=humble.sandbox, workdir=humble.workdir)
    assert not notes.tools[0].call({"text": "seen"}, context).is_error
    assert "seen" in notes.recall()


@pytest.mark.parametrize("text", ["", "x" * 4001, "\ud800"])
def test_what_cannot_be_noted_is_the_models_mistake(episode: Episode, context: ToolContext, text: str) -> None:
    assert Notes(episode).tools[0].call({"text": text}, context).is_error


@pytest.mark.parametrize(
    ("script", "noted", "said"),
    [
        (f"mkdir {PATH}", False, "it is no file"),
        (f"ln -s /etc/passwd {PATH}", True, "leads out of the work directory"),
        (f"cp /bin/ls {PATH}", True, "it is binary"),
    ],
)
def test_a_broken_file_is_told(
    episode: Episode, setup: Setup, context: ToolContext, script: str, noted: bool, said: str
) -> None:
    setup(script)
    notes = Notes(episode)
    assert notes.tools[0].call({"text": "x"}, context).is_error != noted
    assert said in notes.recall()


def test_a_pipe_does_not_hold_up_the_episode(episode: Episode, setup: Setup, context: ToolContext) -> None:
    setup(f"mkfifo {PATH}")
    context.timeout_s = 0.5
    result = Notes(episode).tools[0].call({"text": "x"}, context)
    assert (result.is_error, result.content) == (True, f"{PATH} cannot be written: it took too long")


def test_they_are_bounded(episode: Episode, setup: Setup) -> None:
    setup(f"yes x | head -c 10000000 > {PATH}")
    assert len(Notes(episode).recall()) < MAX_BYTES + 200
