"""Rows of OctoBench (MiniMaxAI/OctoBench, arXiv 2601.10343): read as checklists, written back unchanged.

    {instance_id, user_query: [...], system_prompt, category, image, workspace_abs_path, scaffold: {name, version},
     checklist: {<category>: {description, checks: [{check_id, description, check_type}]}}, ...}

Their checks are free text, worded "Check whether the assistant ...": they become items for a judge.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from agentgym.errors import TaskError
from agentgym.nearest import nearest
from agentgym.scoring.checklist.item import Checklist, Item, Source
from agentgym.scoring.checklist.verdict import Verdict

SOURCES: Mapping[str, Source] = {
    "sp": "system_prompt",
    "systemprompt": "system_prompt",
    "systemreminder": "system_reminder",
    "userquery": "user_query",
    "agentsmd": "project_file",
    "claudemd": "project_file",
    "projectlevel": "project_file",
    "skill": "skill",
    "skillmd": "skill",
    "memory": "memory",
    "toolschema": "tool_schema",
}
"""By a category's name in letters alone."""


class _Kept(BaseModel):
    """Keys that are not known are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")


class OctoCheck(_Kept):
    """One check."""

    check_id: str = Field(min_length=1)
    description: str = Field(min_length=1)


class OctoCategory(_Kept):
    """The checks of one source."""

    checks: tuple[OctoCheck, ...]


class OctoInstance(_Kept):
    """What is read of a row."""

    instance_id: str = Field(min_length=1)
    user_query: tuple[str, ...] = Field(min_length=1)
    checklist: Mapping[str, OctoCategory]
    workspace_abs_path: str = ""

    @field_validator("checklist")
    @classmethod
    def _known(cls, checklist: Mapping[str, OctoCategory]) -> Mapping[str, OctoCategory]:
        for name in checklist:
            source_of(name)
        return checklist


@dataclass(frozen=True, slots=True)
class OctoRow:
    """One instance, with the row that it was read from."""

    data: Mapping[str, Any]
    instance: OctoInstance

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Raises ValidationError."""
        return cls(data, OctoInstance.model_validate(data))

    def to_checklist(self) -> Checklist:
        """Its items, a judge's all of them."""
        items = [
            Item(
                id=check.check_id,
                source=source_of(name),
                statement=check.description,
                judge=question(check.description),
            )
            for name, category in self.instance.checklist.items()
            for check in category.checks
        ]
        workdir = self.instance.workspace_abs_path
        return Checklist(items=tuple(items), instructions=self.instance.user_query, workdir=workdir)

    def with_verdicts(self, verdicts: Iterable[Verdict]) -> dict[str, Any]:
        """As their evaluator writes it: `result` (success or fail) and `reasoning` at each check.

        An item without a verdict is a fail, and so is an error; what does not apply is left out.
        """
        by_id = {verdict.item: verdict for verdict in verdicts}
        row = copy.deepcopy(dict(self.data))
        for category in row["checklist"].values():
            judged = [(check, by_id.get(check["check_id"])) for check in category["checks"]]
            category["checks"] = [
                {**check, "reasoning": found.why, "result": _RESULTS[found.result]}
                if found
                else {**check, "reasoning": "no verdict", "result": "fail"}
                for check, found in judged
                if found is None or found.result != "not_applicable"
            ]
        return row


_RESULTS = {"pass": "success", "fail": "fail", "error": "fail"}


def source_of(category: str) -> Source:
    """Raises ValueError."""
    plain = re.sub(r"[^a-z]", "", category.lower())
    if plain not in SOURCES:
        hint = nearest(plain, SOURCES, what="category")
        raise ValueError(f'found the category "{category}", wanted one of the seven sources{hint}')
    return SOURCES[plain]


def question(description: str) -> str:
    """A check's description as a question, yes being a pass."""
    match = re.match(r"(?i)check (?:whether|if|that)\s+(.+?)[.?]?\s*$", description, re.DOTALL)
    return f"Is it true that {match[1]}?" if match else description


def read_rows(path: Path) -> list[OctoRow]:
    """All rows of a JSONL file. Raises TaskError that names every malformed one, one problem a line."""
    rows: list[OctoRow] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        head = f"{path}:{number}"
        try:
            row = OctoRow.of(json.loads(line))
            checklist = row.to_checklist()
        except json.JSONDecodeError as error:
            problems.append(f"{head}: not JSON: {error}")
            continue
        except ValidationError as error:
            problems += [f"{head}: {problem}" for problem in _problems(error)]
            continue
        if not len(checklist):
            problems.append(f"{head}: checklist: found no checks, wanted one or more")
        name = row.instance.instance_id
        if seen.setdefault(name, number) != number:
            problems.append(f'{head}: instance_id: found "{name}", which line {seen[name]} has')
        rows.append(row)
    if problems:
        raise TaskError("\n".join(problems))
    return rows


def write_rows(rows: Iterable[OctoRow]) -> Iterator[str]:
    """The lines of a JSONL file."""
    return (json.dumps(row.data, ensure_ascii=False) + "\n" for row in rows)


def _problems(error: ValidationError) -> Iterator[str]:
    for detail in error.errors(include_url=False):
        where = ".".join(map(str, detail["loc"]))
        said = str(detail["ctx"]["error"]) if detail["type"] == "value_error" else detail["msg"].lower()
        yield f"{where}: {said}" if where else said
