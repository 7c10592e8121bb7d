"""The hand-written seeds: teams whose rules belong together. Data of `data/seeds.toml`, read and checked."""

from __future__ import annotations

import functools
import tomllib
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from agentgym.scoring.checklist.item import Source


class Seed(BaseModel):
    """Who wants the work done, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    system_prompt: str
    """Opens the system prompt."""
    project_file: str
    """Opens AGENTS.md."""
    memory: str
    """Opens MEMORY.md."""
    rules: dict[Source, tuple[str, ...]]
    """Names of rules that are always stated."""


@functools.cache
def seeds() -> tuple[Seed, ...]:
    """In the order of the file."""
    data = tomllib.loads(files(__package__).joinpath("data", "seeds.toml").read_text(encoding="utf-8"))
    return tuple(Seed.model_validate(one) for one in data["seeds"])
