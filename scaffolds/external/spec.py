"""An agent that is somebody else's program, as data: a TOML file says how it is installed, set up and started.

Its texts are templates: {instruction}, {system_prompt}, {base_url}, {key}, {model}, {prefix}, {home}. What stands in
their place is never read as shell: arguments are handed over one by one, and the instruction and the system prompt are
arguments of their own, the standard input or a file. It knows neither sandboxes nor episodes.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import platform
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agentgym.errors import UsageError
from agentgym.nearest import nearest

PLACEHOLDERS = ("instruction", "base_url", "key", "model", "prefix", "home", "system_prompt")
_PLACEHOLDER = re.compile(r"(?<!\$)\{([a-z_]+)\}")


class AgentSpec(BaseModel):
    """One agent. Everything but `install` is a template."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    """What trajectories call it."""
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+_-]*$")]
    """The one that is installed, exactly; $VERSION in `install`."""
    dialect: Literal["messages", "chat", "responses"]
    """Which of the gateway's APIs it speaks. For the reader: the gateway has all of them."""
    install: str = ""
    """Bash, run once as root with the network on, in python:3.11-bookworm; puts the program into $PREFIX. What lies
    there is mounted read-only into sandboxes of any image, so it must bring along what it needs. Empty: nothing to
    install, the agent is in the image or in `files`."""
    command: Annotated[tuple[str, ...], Field(min_length=1)]
    """Arguments of the run that takes the first instruction."""
    continue_command: tuple[str, ...] = ()
    """Of the runs that take the next ones in the same conversation; empty: a task's second step ends in an error."""
    system_args: tuple[str, ...] = ()
    """Arguments after those of either command where the task has a system prompt of its own."""
    stdin: str = ""
    """What it reads from its standard input."""
    env: Mapping[str, str] = Field(default_factory=dict)
    """On top of the sandbox's own; HOME is a folder of the agent's own outside WORKDIR."""
    files: Mapping[str, str] = Field(default_factory=dict)
    """Path below {home} to contents. In a path that ends in .json, values are written as JSON text."""

    @model_validator(mode="after")
    def _templates_are_sound(self) -> Self:
        for place, template in self._templates():
            for name in _PLACEHOLDER.findall(template):
                if name not in PLACEHOLDERS:
                    known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
                    raise ValueError(f"{place}: found {{{name}}}, wanted one of {known}")
        for key in ("command", "continue_command", "system_args"):
            for word, text in itertools.product(getattr(self, key), ("{instruction}", "{system_prompt}")):
                if text in word and word != text:
                    raise ValueError(f'{key}: found {word!r}, wanted "{text}" as an argument of its own')
        for path in self.files:
            if path.startswith("/") or ".." in path.split("/") or not path:
                raise ValueError(f"files: found {path!r}, wanted a path relative to the agent's HOME, without ..")
        return self

    def _templates(self) -> Iterator[tuple[str, str]]:
        for key in ("command", "continue_command", "system_args"):
            yield from ((key, word) for word in getattr(self, key))
        yield "stdin", self.stdin
        yield from ((f"env.{name}", value) for name, value in self.env.items())
        yield from ((f"files {path}", text) for path, text in self.files.items())

    @property
    def install_key(self) -> str:
        """Names what `install` leaves on this kind of machine: another key is another program."""
        made_of = json.dumps([self.install, self.version, platform.machine()])
        return f"{self.name}-{self.version}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"


def fill(template: str, values: Mapping[str, str], *, as_json: bool = False) -> str:
    """The template with its placeholders replaced; `as_json`: as they stand inside a JSON string."""

    def value(match: re.Match[str]) -> str:
        text = values[match[1]]
        return json.dumps(text)[1:-1] if as_json else text

    return _PLACEHOLDER.sub(value, template)


def load_spec(path: Path) -> AgentSpec:
    """The agent that a TOML file describes. Raises UsageError, with one line a problem."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # TOML's and UTF-8's errors are both
        raise UsageError(f"{path}: not TOML: {error}") from error
    try:
        return AgentSpec.model_validate(data)
    except ValidationError as error:
        raise UsageError("\n".join(f"{path}: {line}" for line in _problems(error))) from None


def _problems(error: ValidationError) -> Iterator[str]:
    for detail in error.errors(include_url=False):
        where = ".".join(map(str, detail["loc"]))
        if detail["type"] == "extra_forbidden":
            known = list(AgentSpec.model_fields)
            yield f"{where}: unknown key" + (nearest(where, known, what="key") or f" (known: {', '.join(known)})")
        elif detail["type"] == "missing":
            yield f"{where}: missing"
        elif detail["type"] == "value_error":
            yield str(detail["ctx"]["error"])
        else:
            yield f"{where}: found {detail['input']!r}, wanted {_wanted(detail['type'], detail.get('ctx', {}))}"


def _wanted(kind: str, context: Mapping[str, object]) -> str:
    by_kind = {
        "string_type": "text",
        "tuple_type": "a list of texts",
        "mapping_type": "a table of texts",
        "too_short": "one argument or more",
        "string_pattern_mismatch": f"text that matches {context.get('pattern')}",
        "literal_error": str(context.get("expected")),
    }
    return by_kind.get(kind, kind)
