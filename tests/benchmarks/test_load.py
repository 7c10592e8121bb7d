"""The load generator and the server it is tried on."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from agentgym.gateway import Gateway
from benchmarks.load import Target, flood, latencies, upstream


@pytest.fixture
def served_refusals() -> Iterator[Target]:
    """A gateway that knows no key."""
    with Gateway() as gateway:
        yield Target(gateway.server().listen("127.0.0.1", 0), "/v1/chat/completions", "none")


def test_every_answer_is_counted_and_timed() -> None:
    with upstream(json.dumps({"ok": True}).encode()) as port:
        target = Target(port, "/any", "key")
        samples = latencies({"one": target, "other": target}, b"{}", 20)
        n_answered, cpu_s = flood([target] * 3, b'{"a": 1}', 0.2)
    assert [len(values) for values in samples.values()] == [20, 20]
    assert min(samples["one"]) > 0
    assert n_answered > 3
    assert cpu_s > 0


def test_a_refusal_ends_the_flood(served_refusals: Target) -> None:
    with pytest.raises(SystemExit, match="401"):
        flood([served_refusals], b"{}", 5)
    with pytest.raises(SystemExit, match="ours: 401"):
        latencies({"ours": served_refusals}, b"{}", 1)
