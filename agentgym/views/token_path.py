"""The ids that a call was and sampled, put together from those that each call of its ancestry added."""

from __future__ import annotations

from collections.abc import Sequence

from agentgym.call import Call


def token_path(calls: Sequence[Call], index: int) -> list[int]:
    """All ids of a call, those that it sampled last. Every call on the way has tokens."""
    ids: list[int] = []
    for at in id_ancestry(calls, index):
        tokens = calls[at].tokens
        assert tokens is not None
        del ids[tokens.n_shared :]
        ids += tokens.prompt
        ids += tokens.sampled
    return ids


def id_ancestry(calls: Sequence[Call], index: int) -> list[int]:
    """The calls that a call's ids come from, itself last."""
    path = [index]
    while True:
        tokens, parent = calls[path[-1]].tokens, calls[path[-1]].parent
        if parent is None or tokens is None or not tokens.n_shared:
            return path[::-1]
        path.append(parent)
