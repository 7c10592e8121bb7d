"""A checklist: what a task's instructions ask of the agent, item by item. Data alone: it decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from agentgym.scoring.checklist.registry import Check, Nested

Source = Literal[
    "system_prompt", "system_reminder", "user_query", "project_file", "skill", "memory", "tool_schema"
]  # fmt: skip
"""Who asks for it."""
Persistence = Literal["once", "every_turn", "after_event"]
"""once: decided over the whole record. every_turn: at each of the user's turns by itself, and it has to hold in all.
after_event: from some event on, which the check (kind "after") or `applies_when` names."""
Severity = Literal["must", "should"]


class Item(BaseModel):
    """One thing that is asked for. A program decides it, or a judge."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    source: Source
    statement: str = Field(min_length=1)
    """What is asked, in a sentence."""
    persistence: Persistence = "once"
    severity: Severity = "must"
    against: Source | None = None
    """In a conflict: the source that asks for the opposite, and should lose."""
    file: str = ""
    """The file that says so, by its path in the work directory: AGENTS.md, say."""
    applies_when: Nested | None = None
    """The item is not applicable where this does not pass."""
    check: Nested | None = None
    judge: str | None = Field(default=None, min_length=1)
    """A question, yes being a pass."""

    @model_validator(mode="after")
    def _one_decider(self) -> Self:
        if (self.check is None) == (self.judge is None):
            found = "neither" if self.check is None else "both"
            raise ValueError(f"found {found} of check and judge, wanted one of them")
        events = [check.kind for check in (self.check, self.applies_when) if check is not None]
        if self.persistence == "after_event" and self.check is not None and "after" not in events:
            raise ValueError(
                f'found persistence = "after_event" with check kind "{self.check.kind}", wanted kind "after", '
                "which names the event"
            )
        return self

    def data(self) -> dict[str, Any]:
        """As in checklist.toml: what was stated and nothing else."""
        stated = {key: getattr(self, key) for key in type(self).model_fields if key in self.model_fields_set}
        plain = {key: value.data() if isinstance(value, Check) else value for key, value in stated.items()}
        return {key: value for key, value in plain.items() if value is not None}


class Checklist(BaseModel):
    """The items of a task, and what of the task their checks have to know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    items: tuple[Item, ...]
    instructions: tuple[str, ...] = ()
    """What the user says, turn by turn: by these the record is cut into the user's turns."""
    given: Mapping[str, str] = Field(default_factory=dict)
    """Files that the task lays into the work directory, by path: that they are there is not the agent's doing."""
    workdir: str = ""
    """Empty: found in the record."""

    @field_validator("items")
    @classmethod
    def _ids_differ(cls, items: tuple[Item, ...]) -> tuple[Item, ...]:
        ids = [item.id for item in items]
        twice = [name for name in dict.fromkeys(ids) if ids.count(name) > 1]
        if twice:
            raise ValueError(f"found several items with id {', '.join(twice)}, wanted ids that differ")
        return items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, item_id: str) -> Item:
        """Raises KeyError."""
        return {item.id: item for item in self.items}[item_id]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(item.id for item in self.items)

    @property
    def by_program(self) -> Iterator[Item]:
        """Items that a program decides."""
        return (item for item in self.items if item.check is not None)

    @property
    def by_judge(self) -> Iterator[Item]:
        """Items that a judge decides."""
        return (item for item in self.items if item.judge is not None)
