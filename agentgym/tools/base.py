"""What every tool shares: typed arguments, their JSON schema, and one readable line when a call is wrong.

A tool is a class with an `Arguments` model and a `run`. It knows nothing of other tools, of names they go by in a pool
(a pool may rename them) or of who calls; what the model got wrong it raises as `Mistake`, whose text the model reads.
"""

from __future__ import annotations

import copy
import functools
import re
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from agentgym.nearest import nearest
from agentgym.protocols import ToolContext, ToolResult


class Arguments(BaseModel):
    """Base of the arguments of a tool; the sentence under each field is what the model is told about it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    @field_validator("*")
    @classmethod
    def _whole_characters(cls, value: object) -> object:
        # JSON can spell half a surrogate pair; no file, path or command can hold one
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and any("\ud800" <= char <= "\udfff" for char in text):
                raise ValueError("should be Unicode text, without lone surrogates")
        return value


class Mistake(Exception):
    """The model's own mistake: its text is the observation. Never leaves the tools."""


A = TypeVar("A", bound=Arguments)


class TypedTool(ABC, Generic[A]):
    """A tool whose arguments are a pydantic model. Matches the `Tool` Protocol."""

    name: str
    description: str
    arguments: type[A]

    def schema(self) -> dict[str, Any]:
        return object_schema(self.arguments)

    def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        try:
            return self.run(self.arguments.model_validate(dict(arguments)), context)
        except ValidationError as error:
            return ToolResult(explain(error, self.arguments), is_error=True)
        except Mistake as mistake:
            return ToolResult(str(mistake), is_error=True)

    @abstractmethod
    def run(self, arguments: A, context: ToolContext) -> ToolResult:
        """Do it. Raises Mistake for what the model got wrong, SandboxError for what it did not."""


def object_schema(model: type[BaseModel]) -> dict[str, Any]:
    """JSON schema of `model` as models like to read it: no titles, no $refs, no null beside a type."""
    return copy.deepcopy(_object_schema(model))  # every call of a tool asks, and to make one takes a millisecond


@functools.lru_cache(256)
def _object_schema(model: type[BaseModel]) -> dict[str, Any]:
    raw = model.model_json_schema()
    definitions = raw.pop("$defs", {})
    schema = _clean(raw, definitions, ())
    # the class docstring is for people; what the tool does stands in its own description
    schema.pop("description", None)
    schema.setdefault("properties", {})
    return schema


def _clean(schema: Mapping[str, Any], definitions: Mapping[str, Any], inside: tuple[str, ...]) -> dict[str, Any]:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        if name in inside:
            raise TypeError(f"{name} refers to itself; arguments of a tool must be a finite tree")
        inlined = _clean(definitions[name], definitions, (*inside, name))
        return inlined | _clean({k: v for k, v in schema.items() if k != "$ref"}, definitions, inside)
    cleaned: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "title" or (key == "default" and value is None):
            continue
        if key == "properties":
            cleaned[key] = {name: _clean(field, definitions, inside) for name, field in value.items()}
        elif key == "description":
            cleaned[key] = " ".join(value.split())
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            options = [_clean(option, definitions, inside) for option in value if option != {"type": "null"}]
            # an argument that may be null may as well be left out, which is simpler to say
            cleaned |= options[0] if len(options) == 1 and key != "prefixItems" else {key: options}
        elif key in ("items", "additionalProperties") and isinstance(value, Mapping):
            cleaned[key] = _clean(value, definitions, inside)
        else:
            cleaned[key] = value
    return cleaned


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """One line the model can act on: every wrong argument, then what the tool takes."""
    known = list(model.model_fields)
    faults = []
    for fault in error.errors(include_url=False):
        where = ".".join(map(str, fault["loc"]))
        message = re.sub(r"^(?:Value error, |\w+ (?=should ))", "", fault["msg"])
        if fault["type"] == "extra_forbidden":
            faults.append(f"there is no argument `{where}`{nearest(where, known, what='argument')}")
        elif fault["type"] == "missing":
            faults.append(f"`{where}` is missing")
        elif not where:
            faults.append(message)
        else:
            faults.append(f"`{where}` {message}, found {reprlib.repr(fault['input'])}")
    return f"Bad arguments: {'; '.join(faults)}. {_takes(model)}"


def _takes(model: type[BaseModel]) -> str:
    schema = object_schema(model)
    required = schema.get("required", [])
    fields = [
        f"{name} ({field.get('type', 'any')}{'' if name in required else ', optional'})"
        for name, field in schema["properties"].items()
    ]
    return f"It takes {', '.join(fields)}." if fields else "It takes no arguments."
