"""What tools are called with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jsonschema
from pydantic import Field

from agentgym.scoring.checklist.event import Pattern, Texts, is_named
from agentgym.scoring.checklist.record import Record, Reply, ToolUse, evidence
from agentgym.scoring.checklist.registry import Check, kind
from agentgym.scoring.checklist.verdict import Evidence, Finding, beside, failed, found, passed


@kind("arguments_match_schema")
class ArgumentsMatchSchema(Check):
    """Every call is of a tool that was offered, with arguments that its schema takes."""

    tools: Texts = ()

    def look(self, record: Record) -> Finding:
        wrong: list[Evidence] = []
        first = ""
        n_checked = 0
        for reply, use in record.uses():
            if not reply.offered or not use.id or (self.tools and not is_named(use.name, use.action, self.tools)):
                continue
            n_checked += 1
            if problem := _problem(reply, use):
                first = first or problem
                wrong.append(evidence(reply, use, quote=problem))
        return found(not wrong, first, wrong) if n_checked else beside("no offered tool is called")


def _problem(reply: Reply, use: ToolUse) -> str:
    offered = {function.get("name"): function for tool in reply.offered if (function := tool.get("function", tool))}
    if use.name not in offered:
        return f"{use.name} is not offered"
    if not isinstance(use.arguments, Mapping):
        return f"the arguments of {use.name} are no JSON object"
    schema = offered[use.name].get("parameters") or {}
    error = next(iter(_validator(json.dumps(schema, sort_keys=True)).iter_errors(dict(use.arguments))), None)
    return f"{use.name}: {error.message}" if error else ""


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    read = json.loads(schema)
    return jsonschema.validators.validator_for(read, default=jsonschema.Draft202012Validator)(read)


@kind("argument_matches")
class ArgumentMatches(Check):
    """An argument of the tools, where it is given as text, has the pattern in it."""

    tools: Texts = Field(min_length=1)
    argument: str
    pattern: Pattern

    def look(self, record: Record) -> Finding:
        calls = [(r, u) for r, u in record.uses() if is_named(u.name, u.action, self.tools)]
        given = [(r, u, value) for r, u in calls if isinstance(value := u.argument(self.argument), str)]
        if not given:
            return beside(f"no {self.argument} is given to {' or '.join(self.tools)}")
        wrong = [evidence(r, u, quote=value) for r, u, value in given if not re.search(self.pattern, value)]
        return found(not wrong, f"{self.argument} does not match {self.pattern!r}", wrong)


@kind("argument_given")
class ArgumentGiven(Check):
    """Every call of the tools has the argument."""

    tools: Texts = Field(min_length=1)
    argument: str

    def look(self, record: Record) -> Finding:
        calls = [(r, u) for r, u in record.uses() if is_named(u.name, u.action, self.tools)]
        if not calls:
            return beside(f"{' or '.join(self.tools)} is not called")
        bare = [evidence(r, u, quote=u.name) for r, u in calls if u.argument(self.argument) in (None, "")]
        return failed(f"without {self.argument}", bare) if bare else passed()
