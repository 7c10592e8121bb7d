"""One request to the model and its reply, as the gateway keeps it; the calls of a session together are a tree.

A conversation that goes on is its parent's conversation, reply included, and what is new: nothing is kept twice. Where
the caller rewrote what was said (compaction, a sub-agent, another system prompt) the call forks: it shares no more
than the beginning. The same holds of token ids, for models that show them: a session is a trie of ids.

Data alone; `gateway/` makes it, `trajectory.py` holds it.
"""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, GetPydanticSchema

from agentgym.protocols import FinishReason, Message, Usage

# a message is kept as it came, keys of other servers included: pydantic sees a plain object, mypy sees Message
RecordedMessage = Annotated[Message, GetPydanticSchema(lambda _source, handler: handler(dict[str, Any]))]


class Record(BaseModel):
    """What all parts of a trajectory share: unknown keys are refused, and so are NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def to_json(data: Any) -> bytes:
    """Plain ASCII, of plain data or of what `model_dump()` gives. Models write what is no valid Unicode, in keys too,
    where pydantic's own dump fails, and numbers that are no JSON: those become null."""
    try:
        text = json.dumps(data, allow_nan=False, default=datetime.isoformat)
    except ValueError:
        text = json.dumps(_finite(data), allow_nan=False, default=datetime.isoformat)
    return text.encode("ascii")


def _finite(data: Any) -> Any:
    match data:
        case float():
            return data if math.isfinite(data) else None
        case dict():
            return {key: _finite(value) for key, value in data.items()}
        case list() | tuple():
            return [_finite(value) for value in data]
    return data


Drift = Literal["root", "clean", "realigned", "forked"]
"""How a call's conversation lies to its parent's.

root: it has none. clean: the parent's, and something new. realigned: the same, though the caller wrote what the model
said a little differently (blanks, the order of keys in arguments): the ids that were sampled stand. forked: what was
said has been rewritten from some message on, and was rendered anew.
"""


class CallTokens(Record):
    """The ids of a call: those of its parent's path up to `n_shared`, then `prompt`, then `sampled`."""

    n_shared: int = 0
    """Of the parent's whole path (what it shared, its prompt and what it sampled), the first so many ids."""
    prompt: list[int] = Field(default_factory=list)
    sampled: list[int] = Field(default_factory=list)
    logprobs: list[float] = Field(default_factory=list)
    """One a sampled id: the sampler's, natural logarithm."""
    versions: list[tuple[int, int]] = Field(default_factory=list)
    """Runs: a policy version, and how many of the sampled ids it drew."""
    texts: list[str] = Field(default_factory=list)
    """One a sampled id: what it adds to the text."""


class Call(Record):
    """One request and what came of it."""

    parent: int | None = None
    """Place in the list of calls; always an earlier one, which was answered."""
    drift: Drift = "root"
    n_kept: int = 0
    """Messages of the parent's conversation (its reply is the last) that this one begins with."""
    messages: list[RecordedMessage] = Field(default_factory=list)
    """Those after the kept ones."""
    tools: list[dict[str, Any]] | None = None
    """Offered tools in OpenAI's shape; None: the same as the parent's (of a root: none)."""
    reply: RecordedMessage | None = None
    """None where none came."""
    finish_reason: FinishReason | None = None
    usage: Usage = Usage()
    tokens: CallTokens | None = None
    """None where the model shows none: such a call cannot be trained on."""
    dialect: str = "direct"
    """How it was asked: chat, responses, messages, or direct from a scaffold in this process."""
    error: str = ""
    """Why there is no reply."""
    stripped: list[str] = Field(default_factory=list)
    """What the gateway took out of the request: tools that the provider would run, `web_search` for one."""
    started_at: AwareDatetime
    duration_s: float = 0.0
