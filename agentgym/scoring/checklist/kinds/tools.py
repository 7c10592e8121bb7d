"""Which tools are called, how often, and with what."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from agentgym.scoring.checklist.event import Texts, is_named
from agentgym.scoring.checklist.record import Record, Reply, ToolUse, evidence
from agentgym.scoring.checklist.registry import Check, kind
from agentgym.scoring.checklist.verdict import Finding, found


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
