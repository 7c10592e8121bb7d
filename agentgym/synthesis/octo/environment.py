"""The repositories that the suite works on: where each comes from, and three functions that each lacks.

Data of `data/environments.toml`, read and checked. It knows neither rules nor tasks.
"""

from __future__ import annotations

import ast
import functools
import textwrap
import tomllib
from importlib.resources import files
from string import Template
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

WORKDIR = "/testbed"


class Feature(BaseModel):
    """A small function to be added."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: str
    """Name, parameters and what it returns, as after `def`; names are the builtins' own."""
    does: str
    """In the imperative, without an end."""
    parameters: dict[str, str]
    """What each is."""
    body: str
    examples: tuple[str, ...]
    """Expressions that are true."""

    @property
    def name(self) -> str:
        return self.head.partition("(")[0]

    @property
    def definition(self) -> ast.FunctionDef:
        """Parsed anew, for whoever wants to change it."""
        found = ast.parse(f"def {self.head}:\n{textwrap.indent(self.body, '    ')}\n").body[0]
        assert isinstance(found, ast.FunctionDef)
        return found


class Environment(BaseModel):
    """A repository of the package index, as its source archive has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package: str
    version: str
    sha256: str
    """Of the source archive."""
    licence: str
    """SPDX."""
    module: str
    """The file to work on, relative to the work directory."""
    before: str
    """A line of it, there once, that new functions go in front of."""
    tests: str
    """The folder of its tests; "." where they lie beside the sources."""
    root: str = "."
    """The folder that imports begin at."""
    install: tuple[str, ...] = ()
    """What it needs, pinned."""
    split: Literal["train", "heldout"] = "train"
    features: tuple[Feature, ...] = Field(min_length=3, max_length=3)

    @property
    def import_name(self) -> str:
        """Of the module."""
        path = self.module.removeprefix("src/").removesuffix(".py").removesuffix("/__init__")
        return path.replace("/", ".")

    @property
    def dockerfile(self) -> str:
        """The same for all tasks of an environment: they share one image."""
        needed = f"pip install --no-cache-dir {' '.join(self.install)} && " if self.install else ""
        root = WORKDIR if self.root == "." else f"{WORKDIR}/{self.root}"
        template = Template(read_file("Dockerfile"))
        return template.safe_substitute(
            package=self.package, version=self.version, sha256=self.sha256, install=needed, root=root
        )

    def test_file(self, stem: str) -> str:
        """The path of a new test file."""
        name = f"test_{stem}.py"
        return name if self.tests == "." else f"{self.tests}/{name}"


@functools.cache
def environments() -> tuple[Environment, ...]:
    """All of them, by package."""
    data = tomllib.loads(files(__package__).joinpath("data", "environments.toml").read_text(encoding="utf-8"))
    return tuple(sorted((Environment.model_validate(one) for one in data["environments"]), key=lambda e: e.package))


def read_file(name: str) -> str:
    """One of the files that go into tasks."""
    return files(__package__).joinpath("files", name).read_text(encoding="utf-8")
