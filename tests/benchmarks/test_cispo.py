"""How many batches it takes to reach another's reward."""

from __future__ import annotations

from benchmarks.cispo import FULL, Curve, rows


def test_batches_until_a_reward() -> None:
    ours = Curve("cispo", [0.1, 0.3, 0.5, 0.6], untrusted=0.0, capped=0.01)
    theirs = Curve("dapo", [0.1, 0.2, 0.3, 0.4], untrusted=0.2, capped=0.0)
    until, after, *told = rows({"cispo": ours, "dapo": theirs}, FULL)
    assert (until.value, until.peer, until.peer_value, until.ratio) == (3, "dapo", 4, 4 / 3)
    assert (until.target, until.met) == (">= 2x", False)
    assert (after.value, after.peer_value) == (0.6, 0.4)
    assert [row.name for row in told] == ["rewards batch by batch, cispo", "rewards batch by batch, dapo"]
    assert "0.100 0.300 0.500 0.600" in told[0].bound


def test_a_reward_that_is_never_reached() -> None:
    ours = Curve("cispo", [0.1, 0.2], untrusted=0.0, capped=0.0)
    until = next(iter(rows({"cispo": ours, "dapo": Curve("dapo", [0.5, 0.5], 0.0, 0.0)}, FULL)))
    assert (until.value, until.met, until.ratio) == (FULL.batches, False, None)
    assert until.bound.startswith("NOT reached")
