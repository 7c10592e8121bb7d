"""Black-box scaffolds: agents that are programs of their own, each described by a TOML file (agents/)."""

from scaffolds.external.scaffold import ExternalScaffold, claude_code, droid, kilo
from scaffolds.external.spec import AgentSpec, load_spec

__all__ = ["AgentSpec", "ExternalScaffold", "claude_code", "droid", "kilo", "load_spec"]
