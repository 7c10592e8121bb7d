"""Token counts, ids and log-probabilities of a call as ATIF's metrics, and back."""

from __future__ import annotations

from collections.abc import Sequence

from agentgym.call import Call, CallTokens
from agentgym.protocols import Usage
from agentgym.views import atif_schema as atif
from agentgym.views.token_path import token_path


def metrics_of(calls: Sequence[Call], index: int) -> atif.Metrics:
    """Of an answered call. `prompt_token_ids` are all that were sent: the format knows no sharing."""
    call = calls[index]
    counts = atif.Metrics(prompt_tokens=call.usage.prompt_tokens, completion_tokens=call.usage.completion_tokens)
    if call.tokens is None:
        return counts
    n_sampled = len(call.tokens.sampled)
    path = token_path(calls, index)
    return counts.model_copy(
        update={
            "prompt_token_ids": path[: len(path) - n_sampled],
            "completion_token_ids": call.tokens.sampled,
            "logprobs": call.tokens.logprobs,
            "extra": {"versions": call.tokens.versions, "texts": call.tokens.texts},
        }
    )


def usage_of(metrics: atif.Metrics | None) -> Usage:
    if metrics is None:
        return Usage()
    return Usage(metrics.prompt_tokens or 0, metrics.completion_tokens or 0)


def tokens_of(metrics: atif.Metrics | None, parent_path: Sequence[int]) -> CallTokens | None:
    """None where the metrics have no ids. `parent_path`: all ids of the call before."""
    if metrics is None or metrics.completion_token_ids is None:
        return None
    sent = metrics.prompt_token_ids or []
    n_shared = next(
        (n for n, (one, other) in enumerate(zip(sent, parent_path, strict=False)) if one != other),
        min(len(sent), len(parent_path)),
    )
    extra = metrics.extra or {}
    return CallTokens(
        n_shared=n_shared,
        prompt=sent[n_shared:],
        sampled=metrics.completion_token_ids,
        logprobs=metrics.logprobs or [],
        versions=extra.get("versions", []),
        texts=extra.get("texts", []),
    )
