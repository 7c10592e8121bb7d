"""What every config and state of `rl` is: frozen, closed, its problems told all at once. Knows no field."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from agentgym.nearest import nearest


class Frozen(BaseModel):
    """Named values. An unknown key is refused with the nearest known one; problems of nested ones are told with it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @model_validator(mode="wrap")
    @classmethod
    def _unknown_keys(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            problems = [cls._problem(problem) for problem in error.errors()]
            raise ValidationError.from_exception_data(cls.__name__, problems) from None

    @classmethod
    def _problem(cls, problem: Any) -> InitErrorDetails:
        kind, place, text = problem["type"], problem["loc"], problem["msg"]
        if kind == "extra_forbidden" and len(place) == 1:
            kind, text = "unknown_key", "unknown key" + nearest(str(place[0]), cls.model_fields, what="key")
        # the text goes in as a value: braces in it are no template's
        told = PydanticCustomError(kind, "{text}", {"text": text})
        return InitErrorDetails(type=told, loc=place, input=problem["input"])
