"""The real agents with a model that shows its tokens: every one they sampled is on record, once, and ready to train on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from agentgym.entry import make_scaffold
from agentgym.errors import SandboxError, UsageError
from agentgym.protocols import Backend, Delta, Message, Reply, Sampling
from agentgym.rollout import Job, rollout
from agentgym.scaffold import MountingScaffold
from agentgym.views.samples import samples
from tests.gateway.fakes import Ids, TokenFake
from tests.require import unavailable
from tests.scaffolds.external.agents import SCRIPTS, isodate, scripted

pytestmark = pytest.mark.agents


class ScriptedTokens(TokenFake):
    """Says what `scripted` says, in random spellings of its JSON."""

    def __init__(self, agent: str) -> None:
        super().__init__(lambda ids: json.dumps(self._reply(ids).message))
        self._model = scripted(agent)
        self._asked: dict[tuple[int, ...], list[Message]] = {}

    def _reply(self, ids: Sequence[int]) -> Reply:
        return self._model.reply(self._asked[tuple(ids)])

    def render(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Ids:
        prompt = super().render(messages, tools)
        self._asked[prompt.ids] = list(messages)
        return prompt

    def extend(self, prompt: Ids, sampled: Sequence[int], messages: Sequence[Message], first: int) -> Ids:
        longer = super().extend(prompt, sampled, messages, first)
        said: Message = {"role": "assistant", "content": ""}
        self._asked[longer.ids] = [*self._asked[prompt.ids], said, *messages]
        return longer

    def sample(
        self, prompt: Ids, tools: Sequence[Mapping[str, Any]] = (), sampling: Sampling | None = None
    ) -> Iterator[Delta | Reply]:
        *_, spelled = super().sample(prompt, tools, sampling)
        assert isinstance(spelled, Reply)
        reply = self._reply(prompt.ids)
        yield Reply(reply.message, reply.finish_reason, spelled.usage, spelled.tokens)


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_every_sampled_token_is_on_record_once(name: str, backend: Backend) -> None:
    scaffold, model = make_scaffold(name), ScriptedTokens(name)
    assert isinstance(scaffold, MountingScaffold)
    try:
        scaffold.mounts(backend)
    except (UsageError, SandboxError) as error:  # no network to install it from
        unavailable("agents", str(error))
    trajectory = rollout(Job(isodate(), scaffold, model), backend)
    assert trajectory.reward == 1.0
    assert {call.drift for call in trajectory.calls if call.reply} <= {"root", "clean", "realigned"}
    found = list(samples(trajectory.calls))
    whole = max(found, key=lambda sample: len(sample.ids))
    assert len(whole.calls) == len(SCRIPTS[name]) + 1, "the main conversation is one sample"
    trained = [id for sample in found for id, trains in zip(sample.ids, sample.loss_mask, strict=True) if trains]
    assert sorted(trained) == sorted(id for _, sampled in model.sent for id in sampled)
    last = max(model.sent, key=lambda sent: len(sent[0]))
    assert tuple(whole.ids) == (*last[0], *last[1])
