"""Rules of the repository for agents: AGENTS.md and CLAUDE.md, in the work directory and in the folders above it.

They are read once, when the episode begins: what the agent does to the files later changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from scaffolds.memory.files import MAX_BYTES, MemoryFiles, Unreadable
from scaffolds.prompts import render

if TYPE_CHECKING:
    from agentgym.env import Episode

NAMES = ("AGENTS.md", "CLAUDE.md")


class Rules:
    """The files' text, farthest first. Matches Memory."""

    tools = ()

    def __init__(self, episode: Episode) -> None:
        """Raises SandboxError."""
        shown = list(_show(MemoryFiles.of(episode.sandbox, episode.workdir)))
        self._text = render("plan_rules.md", files="\n\n".join(reversed(shown))) if shown else ""

    def recall(self) -> str:
        return self._text


def _show(files: MemoryFiles) -> Iterator[str]:
    """Nearest first: they get the room that there is for all."""
    room_bytes, seen = MAX_BYTES, set()
    root = PurePosixPath(files.root)
    for path in files.there([str(folder / name) for folder in (root, *root.parents) for name in NAMES]):
        try:
            text = files.read(path, max(room_bytes, 0))
        except Unreadable as problem:
            yield f"`{path}` was left out: {problem}."
            continue
        # one is often a link to the other
        if text is not None and text.strip() and text not in seen:
            seen.add(text)
            room_bytes -= len(text.encode())
            yield f'<rules file="{path}">\n{text.strip()}\n</rules>'
