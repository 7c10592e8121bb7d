"""Request bodies, from bytes to checked data; what is wrong with one is a Fault of one line.

It knows how JSON goes wrong and nothing of what any dialect wants: that is what the shapes are for. Fields that a shape
does not name are left alone; the raw record has them.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, from_json

from agentgym.gateway.dialects.fault import Fault


class Shape(BaseModel):
    """The part of a body that is read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


S = TypeVar("S", bound=Shape)


def read_json(raw: bytes) -> dict[str, Any]:
    """The body's object. Lone surrogates, which JSON can say and UTF-8 cannot, become U+FFFD. Raises Fault."""
    try:
        body = _parse(raw)
        json.dumps(body, allow_nan=False)  # 1e999 is JSON, and infinite when it is read
    except ValueError as error:
        raise Fault("bad_request", f"found a body that is not JSON ({error}), wanted a JSON object") from error
    if not isinstance(body, dict):
        raise Fault("bad_request", f"found {_short(body)} as the body, wanted a JSON object")
    return body


def _parse(raw: bytes) -> Any:
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError:
        if rb"\u" not in raw:
            raise
        # agents cut texts in the middle of an emoji: only the lax parser reads that
        try:
            text = json.dumps(json.loads(raw), ensure_ascii=False)
        except RecursionError:
            raise ValueError("nested too deep") from None
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return from_json(whole.encode(), allow_inf_nan=False)


def read(shape: type[S], body: Mapping[str, Any]) -> S:
    """The body as `shape`. Raises Fault."""
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        # of a union every member complains: the one that came furthest was meant
        places = [(_place(details, body), details) for details in error.errors(include_url=False)]
        where, details = max(places, key=lambda place: len(place[0]))
        raise Fault("bad_request", _line(where, details)) from error


def _place(details: ErrorDetails, body: Any) -> list[int | str]:
    """The steps that lead through the body, without the names of pydantic's unions between them."""
    steps: list[int | str] = []
    for number, step in enumerate(details["loc"], start=1):
        missing = details["type"] == "missing" and number == len(details["loc"])
        if isinstance(body, dict) and (step in body or missing):
            body = body.get(step)
        elif isinstance(body, list) and isinstance(step, int) and step < len(body):
            body = body[step]
        else:
            continue
        steps.append(step)
    return steps


def _line(where: Sequence[int | str], details: ErrorDetails) -> str:
    at = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where).lstrip(".") or "the body"
    message = details["msg"].removeprefix("Value error, ")
    if details["type"] == "model_type":  # pydantic names the class, which is ours alone
        message = "Input should be an object"
    found = "" if details["type"] in ("missing", "value_error") else f", found {_short(details['input'])}"
    return " ".join(f"{at}: {message}{found}".split())


def _short(value: object) -> str:
    return reprlib.repr(value)
