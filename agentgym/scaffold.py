"""The joint between episodes and scaffolds: apart from protocols.py, since it knows the episode itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from agentgym.env import Episode
from agentgym.gateway import Session
from agentgym.protocols import Backend


class Scaffold(Protocol):
    """Code that turns a model into an agent."""

    name: str
    needs_model: bool

    def run(self, episode: Episode, model: Session) -> None:
        """Work on the episode until it is over (`episode.over`). Raises AgentError, ModelError, SandboxError."""


@runtime_checkable
class MountingScaffold(Scaffold, Protocol):
    """One whose agent is a program of its own, which its sandboxes need."""

    def mounts(self, backend: Backend) -> Mapping[str, Path]:
        """As in SandboxSpec; what is not on this machine yet is installed. Raises UsageError, SandboxError."""
