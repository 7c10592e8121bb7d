"""Kinds of checks, registered and read by name: each is a table of arguments that looks at a record.

    check = {kind = "no_emoji"}
    check = {kind = "all", checks = [{kind = "tests_run"}, {kind = "commit_count"}]}

It knows no kind: those are in `kinds/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, PlainValidator
from pydantic_core import PydanticCustomError

from agentgym.nearest import nearest
from agentgym.scoring.checklist.verdict import Finding

if TYPE_CHECKING:
    from agentgym.scoring.checklist.record import Record


class Check(BaseModel):
    """What all kinds share; a kind's fields are its arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str] = ""

    def look(self, record: Record) -> Finding:
        """What the record, or a part of it, says."""
        raise NotImplementedError

    def data(self) -> dict[str, Any]:
        """As in checklist.toml."""
        stated = [key for key in type(self).model_fields if key in self.model_fields_set]
        return {"kind": self.kind, **{key: _plain(getattr(self, key)) for key in stated}}


KINDS: dict[str, type[Check]] = {}
"""By name, in the order of their files."""

K = TypeVar("K", bound=type[Check])


def kind(name: str) -> Callable[[K], K]:
    """Register a kind under its name."""

    def register(check: K) -> K:
        check.kind = name
        KINDS[name] = check
        return check

    return register


def parse_check(data: Any) -> Check:
    """The check that `data` states. Raises ValidationError, whose places are those of `data`."""
    if isinstance(data, Check):
        return data
    import agentgym.scoring.checklist.kinds  # noqa: F401  # each of its files registers its kinds

    if not isinstance(data, Mapping):
        raise PydanticCustomError("check", "found {found}, wanted a table with a kind", {"found": repr(data)[:80]})
    name = data.get("kind")
    if name is None:
        raise PydanticCustomError("check", "found no kind, wanted one, such as no_emoji", {})
    if not isinstance(name, str) or name not in KINDS:
        hint = nearest(str(name), KINDS, what="kind")
        raise PydanticCustomError(
            "check", 'kind: found "{name}", wanted a known one{hint}', {"name": str(name)[:80], "hint": hint}
        )
    return KINDS[name].model_validate({key: value for key, value in data.items() if key != "kind"})


Nested = Annotated[Check, PlainValidator(parse_check)]
"""A check among the arguments of another."""


def _plain(value: Any) -> Any:
    if isinstance(value, Check):
        return value.data()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
