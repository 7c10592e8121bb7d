"""Whatever tree a session is: each sampled id trains once, and every id is what was sent or sampled."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.call import Call, CallTokens
from agentgym.errors import UsageError
from agentgym.views.samples import Sample, samples
from agentgym.views.token_path import token_path
from tests.trajectories import NOON
from tests.views.agents import saying, worked


def call(prompt: list[int], sampled: list[int], parent: int | None = None, n_shared: int = 0, **more: Any) -> Call:
    return Call(
        parent=parent,
        reply=saying("x"),
        started_at=NOON,
        tokens=CallTokens(
            n_shared=n_shared,
            prompt=prompt,
            sampled=sampled,
            logprobs=[-id / 100 for id in sampled],
            versions=[(7, len(sampled))] if sampled else [],
        ),
        **more,
    )


@st.composite
def call_trees(draw: st.DrawFn) -> list[Call]:
    """Ids from a small alphabet, so that paths agree by chance as well; forks fall anywhere, sampled spans included."""
    ids = st.lists(st.integers(0, 3), max_size=4)
    calls: list[Call] = []
    for index in range(draw(st.integers(1, 12))):
        parent = draw(st.one_of(st.none(), st.integers(0, index - 1))) if index else None
        longest = len(token_path(calls, parent)) if parent is not None else 0
        n_shared = draw(st.one_of(st.just(longest), st.integers(0, longest)))
        prompt, sampled = draw(ids), draw(ids)
        cuts = sorted(draw(st.lists(st.integers(0, len(sampled)), max_size=2)))
        ends = [*cuts, len(sampled)]
        runs = [
            (version, end - start)
            for version, (start, end) in enumerate(zip([0, *cuts], ends, strict=True), start=index)
        ]
        logprobs = [-(index + place / 10) for place in range(len(sampled))]
        tokens = CallTokens(n_shared=n_shared, prompt=prompt, sampled=sampled, logprobs=logprobs, versions=runs)
        answered = draw(st.booleans()) or bool(sampled)
        calls.append(Call(parent=parent, reply=saying("x") if answered else None, tokens=tokens, started_at=NOON))
    return calls


def trained(calls: list[Call], sample: Sample) -> list[tuple[int, int, float, int]]:
    """Of each id that trains: the call and place that it comes from, found by the path alone; logprob; version."""
    origins: list[tuple[int, int] | None] = []
    lineage: list[int] = [sample.branch]
    while (parent := calls[lineage[-1]].parent) is not None:
        lineage.append(parent)
    for index in reversed(lineage):
        tokens = calls[index].tokens
        assert tokens is not None
        own = [(index, place) for place in range(len(tokens.sampled))]
        origins = [*origins[: tokens.n_shared], *[None] * len(tokens.prompt), *own]
    at = [n for n, trains in enumerate(sample.loss_mask) if trains]
    versions = [version for version, n in sample.versions for _ in range(n)]
    found = []
    for n, logprob, version in zip(at, sample.sampler_logprobs, versions, strict=True):
        origin = origins[n]
        assert origin is not None, "a prompt's id never trains"
        found.append((*origin, logprob, version))
    return found


@given(call_trees())
def test_each_sampled_id_trains_in_exactly_one_sample(calls: list[Call]) -> None:
    found = list(samples(calls))
    want = []
    for index, one in enumerate(calls):
        tokens = one.tokens
        assert tokens is not None
        versions = [version for version, n in tokens.versions for _ in range(n)]
        want += [(index, place, tokens.logprobs[place], versions[place]) for place in range(len(tokens.sampled))]
    assert sorted(token for sample in found for token in trained(calls, sample)) == sorted(want)
    assert sum(sum(sample.loss_mask) for sample in found) == sum(len(one.tokens.sampled) for one in calls if one.tokens)


@given(call_trees())
def test_ids_are_those_that_were_sent_and_sampled(calls: list[Call]) -> None:
    for sample in samples(calls):
        assert len(sample.ids) == len(sample.loss_mask)
        path = token_path(calls, sample.branch)
        assert sample.ids == path[: len(sample.ids)]
        assert sample.loss_mask[-1], "nothing after the last id that trains"
        assert sample.calls == sorted(set(sample.calls))
        assert {origin[0] for origin in trained(calls, sample)} == set(sample.calls)


@given(call_trees())
def test_a_path_that_another_holds_has_no_sample(calls: list[Call]) -> None:
    """No more samples than leaves, and none that trains nothing."""
    found = list(samples(calls))
    assert len({sample.branch for sample in found}) == len(found)
    assert all(any(sample.loss_mask) for sample in found)
    for index, one in enumerate(calls):
        assert one.tokens is not None
        children = [
            c for c in calls if c.parent == index and c.tokens and c.tokens.n_shared == len(token_path(calls, index))
        ]
        if children:
            assert index not in {sample.branch for sample in found}


def test_a_conversation_is_one_sample() -> None:
    calls = [call([1, 2], [3, 4]), call([5], [6], parent=0, n_shared=4)]
    assert list(samples(calls)) == [
        Sample(
            ids=[1, 2, 3, 4, 5, 6],
            loss_mask=[False, False, True, True, False, True],
            sampler_logprobs=[-0.03, -0.04, -0.06],
            versions=[(7, 3)],
            calls=[0, 1],
            branch=1,
        )
    ]


def test_what_a_fork_shares_trains_in_the_first_and_is_masked_in_the_second() -> None:
    calls = [call([1], [2, 3]), call([9], [4], parent=0, n_shared=2), call([8], [5], parent=0, n_shared=3)]
    first, second = samples(calls)
    assert (first.ids, first.loss_mask) == ([1, 2, 9, 4], [False, True, False, True])
    assert (second.ids, second.loss_mask) == ([1, 2, 3, 8, 5], [False, False, True, False, True])


def test_the_same_prompt_sampled_twice_alike_trains_twice() -> None:
    """They are two draws; merging what is equal is the prefix tree's work, not ours."""
    assert [sample.loss_mask for sample in samples([call([1], [2]), call([1], [2])])] == [[False, True]] * 2


def test_a_session_of_the_gateway() -> None:
    calls = worked(tokens=True)
    found = list(samples(calls))
    assert [sample.branch for sample in found] == [0, 4, 6, 8, 9]
    assert sum(len(one.tokens.sampled) for one in calls if one.tokens) == sum(sum(s.loss_mask) for s in found)
    assert Sample.model_validate_json(found[2].model_dump_json()) == found[2]


def test_calls_that_failed_train_nothing_and_stand_in_nobodys_way() -> None:
    assert list(samples([Call(error="down", started_at=NOON)])) == []


def test_replies_without_ids_are_refused_in_one_line() -> None:
    with pytest.raises(UsageError) as caught:
        list(samples([call([1], [2]), Call(reply=saying("x"), started_at=NOON)]))
    assert str(caught.value).startswith("call 1 has no token ids: its model does not show them")
    assert "\n" not in str(caught.value)


def test_a_damaged_record_is_refused() -> None:
    whole = call([1], [2, 3])
    assert whole.tokens is not None
    short = whole.model_copy(update={"tokens": whole.tokens.model_copy(update={"logprobs": [0.0]})})
    with pytest.raises(UsageError, match="call 0: found 2 sampled ids, 1 log-probabilities and policy versions for 2"):
        list(samples([short]))
