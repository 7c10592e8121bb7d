"""Models that need no weights here: a server, a script, a recording.

`make_model` of `agentgym.entry` finds them by spec; floors above add their own.
"""

from agentgym.models.endpoint import ContextOverflow, EndpointConfig, EndpointModel
from agentgym.models.replay import ReplayModel
from agentgym.models.scripted import ScriptedModel

__all__ = ["ContextOverflow", "EndpointConfig", "EndpointModel", "ReplayModel", "ScriptedModel"]
