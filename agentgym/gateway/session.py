"""One episode's way to its model: asks, records every call, and is sealed at the end.

Scaffolds in this process use it as their model; agents elsewhere reach it over HTTP by its key (`expose`, server.py).
It knows no dialect and no sandbox beyond the socket that it is given. Safe for threads: sub-agents ask at once.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Literal

from agentgym.call import Call, CallTokens
from agentgym.errors import ModelError, model_failures
from agentgym.gateway.journal import Journal
from agentgym.gateway.raw import Packer
from agentgym.gateway.tree import CallTree, Place, Tools
from agentgym.protocols import (
    Delta,
    Message,
    Model,
    Prompt,
    Reply,
    Sampling,
    Sandbox,
    StopReason,
    StreamingModel,
    TokenModel,
    Tokens,
    Usage,
    WindowedModel,
)

PROMPTS_HELD = 8
"""Prompts that can be gone on from without rendering, the newest: what a session has in flight, sub-agents included."""


class SessionSealed(ModelError):
    """The episode is over."""


class BudgetExceeded(ModelError):
    """The session has had what it may have."""

    def __init__(self, text: str, reason: StopReason) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Budget:
    """What a session may use over HTTP, where no episode looks on; None: as much as it likes."""

    max_calls: int | None = None
    max_tokens: int | None = None
    """Sampled, all replies together."""
    timeout_s: float | None = None
    """From now on."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an agent finds its model."""

    base_url: str
    """Without version: OpenAI's clients want `/v1` after it, Anthropic's add it themselves."""
    key: str


@dataclass(frozen=True, slots=True)
class Wire:
    """How a request came in over HTTP."""

    dialect: Literal["chat", "responses", "messages"]
    request: Mapping[str, Any]
    """The raw body, unknown fields included."""
    stripped: tuple[str, ...]
    """Tools that were taken out: the provider would run them, past every rule of the sandbox."""
    respond: Callable[[Reply], dict[str, Any]]
    """The body of the answer; it is in the journal before the caller has it."""


Door = Callable[["Session", Sandbox], AbstractContextManager[Endpoint]]
"""Brings requests from a sandbox to a session."""


class Session:
    """Matches `protocols.StreamingModel`. Made by `Gateway.open`."""

    def __init__(self, id: str, model: Model, journal: Journal | None, door: Door) -> None:
        self.id = id
        self.name = model.name
        self.model = model
        self.key = f"ag-{secrets.token_urlsafe(32)}"
        self.failure: ModelError | None = None
        """Why the model gave no reply, where the last call got none."""
        self.exceeded: StopReason | None = None
        """The budget that a call ran into."""
        self._journal, self._door = journal, door
        # looked at once: every look goes through all the members of a Protocol
        self._token_model = model if isinstance(model, TokenModel) else None
        self._streaming_model = model if isinstance(model, StreamingModel) else None
        self._tree = CallTree()
        self._packer = Packer()
        self._prompts: OrderedDict[int, Prompt] = OrderedDict()
        self._asking: dict[int, Iterator[Any]] = {}
        """What is being answered, by the identity of its Wire, or its own."""
        self._lock = threading.Lock()
        self._budget, self._deadline = Budget(), float("inf")
        self._n_asked = self._n_sampled = 0
        self._sealed = False

    @property
    def calls(self) -> list[Call]:
        """Those that have ended, in that order."""
        with self._lock:
            return list(self._tree.calls)

    @property
    def window_tokens(self) -> int | None:
        """The model's, where it tells."""
        return self.model.window_tokens if isinstance(self.model, WindowedModel) else None

    @property
    def is_sealed(self) -> bool:
        return self._sealed

    def reply(self, messages: Sequence[Message], tools: Tools = (), sampling: Sampling | None = None) -> Reply:
        """Ask and record. Raises ModelError."""
        *_, reply = self.stream(messages, tools, sampling)
        assert isinstance(reply, Reply)
        return reply

    def stream(
        self,
        messages: Sequence[Message],
        tools: Tools = (),
        sampling: Sampling | None = None,
        *,
        wire: Wire | None = None,
    ) -> Iterator[Delta | Reply]:
        """As it comes, then the Reply, which is on record when it is handed out. Closing it ends the call.

        A model that cannot stream gives the Reply alone. Raises SessionSealed, BudgetExceeded and ModelError.
        """
        self._admit(wire)
        asked = _Asked(messages, tools, wire, datetime.now(UTC), time.monotonic())
        reply: Reply | None = None
        try:
            with model_failures():
                place, prompt = self._place(messages, tools)
                with self._in_flight(wire, self._ask(prompt, messages, tools, sampling)) as pieces:
                    for piece in pieces:  # of classes of the model's own, where it does not import ours
                        self._check_open()
                        if hasattr(piece, "message"):
                            reply = _our_reply(piece)
                        else:
                            yield Delta(piece.kind, piece.text)
                self._check_open()
                if reply is None:
                    raise ModelError(f"{self.name} ended without a reply")
                self._take(asked, place, prompt, reply)
        except SessionSealed:
            raise
        except ModelError as error:
            self._fail(asked, str(error))
            self.failure = error
            raise
        except GeneratorExit:
            self._fail(asked, "the caller went away")
            raise
        yield reply

    def count(self, messages: Sequence[Message], tools: Tools = ()) -> int | None:
        """Tokens of the prompt; None where the model cannot tell. Raises ModelError."""
        if self._token_model is None:
            return None
        with model_failures():
            return len(self._token_model.render(messages, tools).ids)

    def expose(self, sandbox: Sandbox, budget: Budget | None = None) -> AbstractContextManager[Endpoint]:
        """While it lasts, the session answers on the sandbox's own loopback, within the budget."""
        self._budget = budget or Budget()
        if self._budget.timeout_s is not None:
            self._deadline = time.monotonic() + self._budget.timeout_s
        return self._door(self, sandbox)

    def seal(self) -> None:
        """End it: later calls are refused, and what is in flight is dropped. Idempotent."""
        with self._lock:
            if self._sealed:
                return
            self._sealed = True
            self._prompts.clear()
            in_flight = list(self._asking.values())
        for pieces in in_flight:
            _close(pieces)
        if self._journal is not None:
            self._journal.write({"kind": "seal", "session": self.id, "at": datetime.now(UTC).isoformat()})

    def drop(self, wire: Wire) -> None:
        """End the call that came by `wire`, if it is in flight: its caller has gone. From any thread."""
        with self._lock:
            pieces = self._asking.get(id(wire))
        _close(pieces)

    # ------------------------------------------------------------------------------------------------------ asking

    def _admit(self, wire: Wire | None) -> None:
        with self._lock:
            if self._sealed:
                raise SessionSealed("the episode is over; nothing more is answered here")
            if wire is not None:  # who calls in process is watched by the episode
                reason = self._spent()
                if reason is not None:
                    self.exceeded = reason
                    raise BudgetExceeded(f"the episode's budget is used up: {reason.value}", reason)
            self._n_asked += 1

    def _spent(self) -> StopReason | None:
        budget = self._budget
        if time.monotonic() > self._deadline:
            return StopReason.TIMEOUT
        if budget.max_calls is not None and self._n_asked >= budget.max_calls:
            return StopReason.MAX_TURNS
        if budget.max_tokens is not None and self._n_sampled >= budget.max_tokens:
            return StopReason.MAX_TOKENS
        return None

    def _place(self, messages: Sequence[Message], tools: Tools) -> tuple[Place, Prompt | None]:
        """Where the conversation hangs, and for a model with tokens the ids that it is."""
        with self._lock:
            place = self._tree.find(messages, tools)
            held = self._prompts.get(place.parent) if place.parent is not None else None
            tokens = self._tree.calls[place.parent].tokens if place.parent is not None else None
        if self._token_model is None:
            return place, None
        if place.drift in ("clean", "realigned") and held is not None and tokens is not None:
            return place, self._token_model.extend(held, tokens.sampled, messages[place.n_kept :], place.n_kept)
        return place, self._token_model.render(messages, tools)

    def _ask(
        self, prompt: Prompt | None, messages: Sequence[Message], tools: Tools, sampling: Sampling | None
    ) -> Iterator[Any]:
        if prompt is not None and self._token_model is not None:
            return self._token_model.sample(prompt, tools, sampling)
        if self._streaming_model is not None:
            return self._streaming_model.stream(messages, tools, sampling)
        return iter((self.model.reply(messages, tools, sampling),))

    @contextmanager
    def _in_flight(self, wire: Wire | None, pieces: Iterator[Any]) -> Iterator[Iterator[Any]]:
        name = id(wire or pieces)
        with self._lock:
            self._asking[name] = pieces
        try:
            yield pieces
        finally:
            with self._lock:
                del self._asking[name]
            _close(pieces)

    def _check_open(self) -> None:
        if self._sealed:
            raise SessionSealed("the episode ended while this call was answered")

    # ---------------------------------------------------------------------------------------------------- recording

    def _take(self, asked: _Asked, place: Place, prompt: Prompt | None, reply: Reply) -> None:
        response = asked.wire.respond(reply) if asked.wire else None
        with self._lock:
            self._check_open()
            tokens, drift = None, place.drift
            if prompt is not None and reply.tokens is not None:
                tokens = self._tokens(place, prompt, reply.tokens)
                if place.parent is not None and tokens.n_shared < len(self._tree.ids(place.parent)):
                    drift = "forked"
            call = Call(
                parent=place.parent,
                drift=drift,
                n_kept=place.n_kept,
                messages=list(asked.messages[place.n_kept :]),
                tools=None if place.same_tools else [dict(tool) for tool in asked.tools],
                reply=reply.message,
                finish_reason=reply.finish_reason,
                usage=reply.usage,
                tokens=tokens,
                **asked.common(),
            )
            self._write(call, asked, response)
            index = len(self._tree.calls)
            self._tree.add(call, place, asked.messages, asked.tools)
            self._n_sampled += reply.usage.completion_tokens
            self.failure = None
            if prompt is not None:
                self._hold(index, prompt, place.parent)

    def _tokens(self, place: Place, prompt: Prompt, sampled: Tokens) -> CallTokens:
        n_shared = 0
        if place.parent is not None and self._tree.calls[place.parent].tokens is not None:
            n_shared = _n_common(self._tree.ids(place.parent), prompt.ids)
        return CallTokens(
            n_shared=n_shared,
            prompt=list(prompt.ids[n_shared:]),
            sampled=list(sampled.ids),
            logprobs=list(sampled.logprobs),
            versions=[(version, len(list(run))) for version, run in groupby(sampled.versions)],
            texts=list(sampled.texts),
        )

    def _hold(self, index: int, prompt: Prompt, parent: int | None) -> None:
        """The parent's prompt is less likely to be gone on from again than any other."""
        self._prompts[index] = prompt
        if parent is not None and parent in self._prompts:
            self._prompts.move_to_end(parent, last=False)
        if len(self._prompts) > PROMPTS_HELD:
            self._prompts.popitem(last=False)

    def _fail(self, asked: _Asked, why: str) -> None:
        with self._lock:
            if self._sealed:
                return
            call = Call(
                messages=list(asked.messages), tools=[dict(tool) for tool in asked.tools], error=why, **asked.common()
            )
            with suppress(ModelError):  # it is a failed journal, perhaps, that is told of here
                self._write(call, asked, None)
            self._tree.add_failed(call)

    def _write(self, call: Call, asked: _Asked, response: dict[str, Any] | None) -> None:
        if self._journal is None:
            return
        index = len(self._tree.calls)
        line = {"kind": "call", "session": self.id, "index": index, "call": call.model_dump()}
        packed = self._packer.pack(asked.wire.request, index) if asked.wire is not None else None
        if packed is not None:
            line |= {"request": packed.body, "response": response}
        try:
            self._journal.write(line)
        except OSError as error:
            raise ModelError(f"the call cannot be recorded in {self._journal.path}: {error.strerror}") from error
        if packed is not None:
            self._packer.keep(packed)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, and when it came."""

    messages: Sequence[Message]
    tools: Tools
    wire: Wire | None
    at: datetime
    began: float

    def common(self) -> dict[str, Any]:
        return {
            "dialect": self.wire.dialect if self.wire else "direct",
            "stripped": list(self.wire.stripped) if self.wire else [],
            "started_at": self.at,
            "duration_s": time.monotonic() - self.began,
        }


def _our_reply(reply: Any) -> Reply:
    if isinstance(reply, Reply):
        return reply
    usage, tokens = reply.usage, reply.tokens
    return Reply(
        reply.message,
        reply.finish_reason,
        Usage(usage.prompt_tokens, usage.completion_tokens),
        None if tokens is None else Tokens(tokens.ids, tokens.logprobs, tokens.versions, tokens.texts),
    )


def _close(pieces: Any) -> None:
    """End an answer. One that another thread waits for may be closed too, unless it is a generator: that one ends with
    its next piece."""
    close = getattr(pieces, "close", None)
    if close is not None:
        with suppress(ValueError):  # the generator is executing
            close()


def _n_common(one: Sequence[int], other: Sequence[int]) -> int:
    """Ids that both begin with."""
    n = min(len(one), len(other))
    if list(one[:n]) == list(other[:n]):  # what nearly always holds, at the speed of C
        return n
    return next(i for i in range(n) if one[i] != other[i])
