"""The joint between episodes and scaffolds: apart from protocols.py, since it knows the episode itself."""

from __future__ import annotations

from typing import Protocol

from agentgym.env import Episode
from agentgym.protocols import Model


class Scaffold(Protocol):
    """Code that turns a model into an agent."""

    name: str
    needs_model: bool

    def run(self, episode: Episode, model: Model) -> None:
        """Work on the episode until it is over (`episode.over`). Raises ModelError, SandboxError."""
