"""The ways in which agents ask a model over HTTP: each turns requests into OpenAI's shape, and replies into its own.

Pure: nothing here knows a session, a socket or a thread.
"""

from agentgym.gateway.dialects import chat, messages, responses
from agentgym.gateway.dialects.dialect import Answer, Asked, Dialect, Events
from agentgym.gateway.dialects.fault import Fault
from agentgym.gateway.dialects.reading import read_json
from agentgym.gateway.dialects.texts import estimate_tokens

__all__ = [
    "Answer", "Asked", "Dialect", "Events", "Fault",
    "chat", "estimate_tokens", "messages", "read_json", "responses",
]  # fmt: skip
