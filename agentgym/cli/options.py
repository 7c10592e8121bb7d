"""KEY=VALUE options of models, as the commands take them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from agentgym.errors import UsageError

ModelOptions = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="For the model, such as temperature=0.7; may be repeated."),
]


def read_options(given: Iterable[str] | None) -> dict[str, Any]:
    """Values are JSON where they can be (0.7, true, null, "5"), else text. Raises UsageError."""
    options: dict[str, Any] = {}
    for option in given or ():
        key, equals, text = option.partition("=")
        if not key or not equals:
            raise UsageError(f"--option {option}: wanted KEY=VALUE, such as temperature=0.7")
        if key in options:
            raise UsageError(f"--option {option}: {key} is given twice")
        try:
            options[key] = json.loads(text)
        except ValueError:
            options[key] = text
    return options
