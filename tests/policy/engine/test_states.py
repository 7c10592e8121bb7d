from policy.engine.states import StatePool


def test_a_row_begins_at_zero_or_as_a_snapshot() -> None:
    states = StatePool(2, 1)
    row = states.take(None)
    states.snapshot(b"a", row)
    other = states.take(b"a")
    kept = states.snapshots[b"a"]
    assert states.copies == [(None, row), (row, kept), (kept, other)]
    assert len({row, other, kept}) == 3
    assert states.n_held == 2


def test_the_least_recently_used_snapshot_makes_room() -> None:
    states = StatePool(1, 2)
    row = states.take(None)
    for name in (b"a", b"b", b"a", b"c"):
        states.snapshot(name, row)
    assert list(states.snapshots) == [b"a", b"c"]
    states.forget_snapshots()
    states.release(row)
    assert (states.n_held, list(states.snapshots)) == (0, [])


def test_no_snapshots_at_all() -> None:
    states = StatePool(1, 0)
    states.snapshot(b"a", states.take(None))
    assert not states.snapshots
