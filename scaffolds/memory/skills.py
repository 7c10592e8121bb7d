"""Skills of the repository: folders with a SKILL.md, whose name and description the model is shown, and whose text it
reads when it has use for it (agentskills.io).
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from agentgym.nearest import nearest
from agentgym.protocols import ToolContext, ToolResult
from agentgym.tools import Arguments, Mistake, TypedTool
from scaffolds.memory.files import MemoryFiles, Unreadable

if TYPE_CHECKING:
    from agentgym.env import Episode

FOLDERS = (".agents/skills", ".claude/skills")
MOST = 50
"""Skills shown."""
DESCRIPTION_CHARS = 400

_LIST = 'shopt -s nullglob; for f in "$@"; do for s in "$f"/*/SKILL.md; do printf "%s\\0" "$s"; done; done'
_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9][\w.:-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Skill:
    name: str
    description: str
    path: str
    """Of its SKILL.md."""


class SkillArguments(Arguments):
    name: str
    """Of the skill, as listed."""


class SkillTool(TypedTool[SkillArguments]):
    name = "skill"
    arguments = SkillArguments

    def __init__(self, skills: dict[str, Skill], files: MemoryFiles) -> None:
        self._skills = skills
        self._files = files
        listed = "\n".join(f"- {skill.name}: {skill.description}" for skill in skills.values())
        self.description = (
            "Read a skill: instructions of this project for one kind of work. Do so before you begin work that one of "
            f"them is for.\nThe skills are:\n{listed}"
        )

    def run(self, arguments: SkillArguments, context: ToolContext) -> ToolResult:
        skill = self._skills.get(arguments.name)
        if skill is None:
            known = ", ".join(self._skills)
            raise Mistake(
                f"There is no skill `{arguments.name}`{nearest(arguments.name, self._skills, what='skill')}. "
                f"The skills are: {known}."
            )
        try:
            text = self._files.read(skill.path)
        except Unreadable as problem:
            raise Mistake(f"{skill.path} cannot be read: {problem}.") from None
        if text is None:
            raise Mistake(f"{skill.path} is gone.")
        body = _FRONT_MATTER.sub("", text, count=1).strip()
        return ToolResult(f"Files that it names are below {posixpath.dirname(skill.path)}.\n\n{body}")


class Skills:
    """Those found when the episode began. Matches Memory."""

    def __init__(self, episode: Episode) -> None:
        """Raises SandboxError."""
        files = MemoryFiles.of(episode.sandbox, episode.workdir)
        skills = _find(files)
        self.found = tuple(skills.values())
        self.tools = (SkillTool(skills, files),) if skills else ()

    def recall(self) -> str:
        """Nothing: the tool's description lists them."""
        return ""


def _find(files: MemoryFiles) -> dict[str, Skill]:
    folders = [posixpath.join(files.root, folder) for folder in FOLDERS]
    listed = files.sandbox.exec(["bash", "-c", _LIST, "list", *folders], timeout_s=10.0, cwd="/").stdout
    skills: dict[str, Skill] = {}
    for path in listed.split("\0")[:-1][:MOST]:
        try:
            text = files.read(path)
        except Unreadable:
            continue
        if text is not None:
            skill = read_skill(path, text)
            skills.setdefault(skill.name, skill)
    return skills


def read_skill(path: str, text: str) -> Skill:
    """What a SKILL.md says of itself; where it does not, its folder is its name."""
    found = _FRONT_MATTER.match(text)
    try:
        # texts alone: nothing is made of what nobody vouches for
        said = yaml.load(found[1], Loader=yaml.BaseLoader) if found else None
    except (yaml.YAMLError, RecursionError):
        said = None
    said = said if isinstance(said, dict) else {}
    name, description = said.get("name"), said.get("description")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        name = re.sub(r"[^\w.-]+", "-", posixpath.basename(posixpath.dirname(path)), flags=re.ASCII)[:64]
    line = " ".join(description.split()) if isinstance(description, str) else ""
    return Skill(name, line[:DESCRIPTION_CHARS] or "(it does not say what it is for)", path)
