"""Token ids to train on: the session's trie of ids as root-to-leaf paths, in which each sampled token trains once.

Ids are those that were sent and sampled; nothing is encoded here. Several paths that begin alike all carry the shared
ids, and the first trains what was sampled among them. What a reward is, and what becomes of a sample, is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from pydantic import Field

from agentgym.call import Call, CallTokens, Record
from agentgym.errors import UsageError
from agentgym.views.token_path import id_ancestry


class Sample(Record):
    """One path through the trie, up to the last id that trains."""

    ids: list[int]
    loss_mask: list[bool]
    """One an id: whether the policy sampled it and this sample trains it."""
    sampler_logprobs: list[float] = Field(default_factory=list)
    """One a True of the mask, in order: natural logarithm, under the distribution that was sampled from."""
    versions: list[tuple[int, int]] = Field(default_factory=list)
    """Runs over the same tokens: a policy version, and how many it sampled."""
    calls: list[int] = Field(default_factory=list)
    """Those that sampled them."""
    branch: int
    """The call that the path leads to."""


def samples(calls: Sequence[Call]) -> Iterator[Sample]:
    """All of a session's samples; together their masks are true once for each sampled id.

    Raises UsageError where a reply has no ids, as of models that do not show them.
    """
    _refuse_untrainable(calls)
    n_trained = [0] * len(calls)
    for leaf in _leaves(calls):
        sample = _sample(calls, leaf, n_trained)
        if sample is not None:
            yield sample


def _sample(calls: Sequence[Call], leaf: int, n_trained: list[int]) -> Sample | None:
    """The path to `leaf`. `n_trained`: of each call's sampled ids, so many train already, and is brought up to date."""
    ids: list[int] = []
    origins: list[tuple[int, int] | None] = []
    """One an id: the call that sampled it, and its place there."""
    for at in id_ancestry(calls, leaf):
        tokens = _tokens(calls[at])
        del ids[tokens.n_shared :], origins[tokens.n_shared :]
        ids += tokens.prompt
        origins += [None] * len(tokens.prompt)
        ids += tokens.sampled
        origins += [(at, place) for place in range(len(tokens.sampled))]
    trains = [(n, *origin) for n, origin in enumerate(origins) if origin and origin[1] >= n_trained[origin[0]]]
    if not trains:
        return None
    end = trains[-1][0] + 1
    loss_mask = [False] * end
    logprobs, versions = [], []
    for n, call, place in trains:
        loss_mask[n] = True
        n_trained[call] = place + 1
        logprobs.append(_tokens(calls[call]).logprobs[place])
        versions.append(_version(_tokens(calls[call]), place))
    return Sample(
        ids=ids[:end],
        loss_mask=loss_mask,
        sampler_logprobs=logprobs,
        versions=[(version, len(list(run))) for version, run in groupby(versions)],
        calls=list(dict.fromkeys(call for _, call, _ in trains)),
        branch=leaf,
    )


def _leaves(calls: Sequence[Call]) -> Iterator[int]:
    """Calls whose whole path no other goes on from."""
    lengths: list[int] = []
    gone_on = set()
    for call in calls:
        tokens = call.tokens or CallTokens()
        lengths.append(tokens.n_shared + len(tokens.prompt) + len(tokens.sampled))
        if call.tokens and call.parent is not None and tokens.n_shared == lengths[call.parent]:
            gone_on.add(call.parent)
    return (index for index, call in enumerate(calls) if call.tokens and index not in gone_on)


def _tokens(call: Call) -> CallTokens:
    assert call.tokens is not None
    return call.tokens


def _version(tokens: CallTokens, place: int) -> int:
    for version, n in tokens.versions:
        if place < n:
            return version
        place -= n
    raise AssertionError("checked before: the runs cover what was sampled")


def _refuse_untrainable(calls: Sequence[Call]) -> None:
    for index, call in enumerate(calls):
        if call.reply is None:
            continue
        if call.tokens is None:
            raise UsageError(
                f"call {index} has no token ids: its model does not show them, and only what is on record id for id "
                "can be trained on; roll out with a policy"
            )
        tokens = call.tokens
        n, n_logprobs, n_versions = len(tokens.sampled), len(tokens.logprobs), sum(n for _, n in tokens.versions)
        if n_logprobs != n or n_versions != n:
            raise UsageError(
                f"call {index}: found {n} sampled ids, {n_logprobs} log-probabilities and policy versions for "
                f"{n_versions}, wanted as many of each; the record is damaged"
            )
