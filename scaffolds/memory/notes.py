"""Episodic notes: a file in the sandbox that the model adds to, and reads again after each compaction.

It lies in /tmp, which is no part of what an episode changes: notes are never in the patch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from agentgym.protocols import ToolContext, ToolResult
from agentgym.tools import Arguments, Mistake, TypedTool
from scaffolds.memory.files import MemoryFiles, Unreadable
from scaffolds.prompts import render

if TYPE_CHECKING:
    from agentgym.env import Episode

PATH = "/tmp/notes.md"


class NoteArguments(Arguments):
    text: str = Field(min_length=1, max_length=4000)
    """What to remember, in full sentences that can be understood alone."""


class NoteTool(TypedTool[NoteArguments]):
    name = "note"
    description = (
        f"Write a note to yourself into {PATH}. When the conversation grows too long its older part is taken away, and "
        "your notes are shown to you again: note what you found out at some cost (where things are, what was tried, "
        "what was decided and why)."
    )
    arguments = NoteArguments

    def run(self, arguments: NoteArguments, context: ToolContext) -> ToolResult:
        append = ["bash", "-c", 'cat >> "$1"', "note", PATH]
        line = f"- {arguments.text.strip()}\n".encode()
        done = context.sandbox.exec(append, stdin=line, timeout_s=context.timeout_s, cwd="/")
        if done.exit_code != 0:
            raise Mistake(f"{PATH} cannot be written: {done.stderr.strip()[-200:] or 'it took too long'}")
        return ToolResult("Noted.")


class Notes:
    """Matches Memory."""

    tools = (NoteTool(),)

    def __init__(self, episode: Episode) -> None:
        self._files = MemoryFiles.of(episode.sandbox, episode.workdir)

    def recall(self) -> str:
        try:
            notes = self._files.read(PATH) or ""
        except Unreadable as problem:
            return f"Your notes in {PATH} cannot be read: {problem}."
        return render("plan_notes.md", notes=notes.strip(), path=PATH) if notes.strip() else ""
