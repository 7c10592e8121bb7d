"""Which tools are called, how often, and with what."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import Field

from agentgym.scoring.checklist.event import EventMatch, Paths, Pattern, Texts, is_named, path_matches
from agentgym.scoring.checklist.names import action_of
from agentgym.scoring.checklist.record import Record, Reply, ToolUse, evidence, places
from agentgym.scoring.checklist.registry import Check, kind
from agentgym.scoring.checklist.verdict import Finding, failed, found


def _called(record: Record, tools: Texts) -> Iterator[tuple[Reply, ToolUse]]:
    return ((reply, use) for reply, use in record.uses() if is_named(use.name, use.action, tools))


@kind("tool_used")
class ToolUsed(Check):
    """One of the tools is called, as often as is said."""

    tools: Texts = Field(min_length=1)
    at_least: int = Field(default=1, ge=1)

    def look(self, record: Record) -> Finding:
        calls = [evidence(reply, use, quote=use.name) for reply, use in _called(record, self.tools)]
        return found(len(calls) >= self.at_least, f"{' or '.join(self.tools)}: called {len(calls)} times", calls)


@kind("tool_unused")
class ToolUnused(Check):
    """None of the tools is called."""

    tools: Texts = Field(min_length=1)

    def look(self, record: Record) -> Finding:
        calls = [evidence(reply, use, quote=use.name) for reply, use in _called(record, self.tools)]
        return found(not calls, f"{' or '.join(self.tools)}: called {len(calls)} times", calls)


@kind("tool_offered")
class ToolOffered(Check):
    """The agent has one of the tools, called or not: for rules that not every scaffold can keep."""

    tools: Texts = Field(min_length=1)

    def look(self, record: Record) -> Finding:
        names = {tool.get("function", tool).get("name", "") for reply in record.replies for tool in reply.offered}
        ok = any(is_named(name, action_of(name), self.tools) for name in names)
        return found(ok, f"{' or '.join(self.tools)}: not offered")


@kind("only_tools")
class OnlyTools(Check):
    """No other tools are called; handing in is always allowed."""

    tools: Texts = Field(min_length=1)

    def look(self, record: Record) -> Finding:
        others = [(r, u) for r, u in record.uses() if not is_named(u.name, u.action, (*self.tools, "submit"))]
        names = ", ".join(dict.fromkeys(use.name for _, use in others))
        return found(not others, f"called besides: {names}", [evidence(r, u, quote=u.name) for r, u in others])


@kind("skill_used")
class SkillUsed(Check):
    """A skill is opened, by the tool for it or by reading its file; with `before`, earlier than that event."""

    name: str = Field(min_length=1)
    before: EventMatch | None = None

    def look(self, record: Record) -> Finding:
        opened = [event for event in record.of("skill") if event.text.strip("/") == self.name]
        opened += [event for event in record.of("read") if event.path.endswith(f"/{self.name}/SKILL.md")]
        if not opened:
            return failed(f"the skill {self.name} is not opened")
        first = min(event.place for event in opened)
        late = [event for event in self.before.among(record) if event.place < first] if self.before else []
        return found(not late, f"the skill {self.name} is opened late", places(late[:1] or opened[:1]))


@kind("noted")
class Noted(Check):
    """Something is written down to be remembered: with the tool for notes, or into files of these names."""

    pattern: Pattern | None = None
    paths: Paths = ("MEMORY.md", "memory/", "memories/", "notes.md", "NOTES.md")

    def look(self, record: Record) -> Finding:
        notes = [
            e for e in record.of("note", "edit", "write") if e.action == "note" or path_matches(e.path, self.paths)
        ]
        texts = [(event, event.text or str(event.use.argument("text") or "")) for event in notes]
        fit = [event for event, text in texts if self.pattern is None or re.search(self.pattern, text)]
        return found(bool(fit), "nothing of it is noted", places(fit or notes))
