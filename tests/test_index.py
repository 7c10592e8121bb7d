from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from agentgym.call import Call
from agentgym.errors import SandboxLost, UsageError
from agentgym.index import TrajectoryIndex
from agentgym.protocols import StopReason, Usage
from agentgym.store import TrajectoryStore
from agentgym.trajectory import Failure, Timing
from tests.trajectories import NOON, make_trajectory


@pytest.fixture(params=["a.jsonl", "a.jsonl.gz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def test_an_entry_says_what_a_table_shows(path: Path) -> None:
    trajectory = make_trajectory("ls", "cat", attempt=3, timing=Timing(sandbox_s=1.0, model_s=2.0))
    TrajectoryStore(path).append(trajectory)
    index = TrajectoryIndex(path)
    [entry] = index.refresh()
    assert (entry.id, entry.key, entry.task, entry.suite, entry.split) == (
        trajectory.id, trajectory.key, "demo/fix", "demo", "train",
    )  # fmt: skip
    assert (entry.checksum, entry.scaffold, entry.model, entry.attempt) == ("c0ffee", "bash", "m", 3)
    assert (entry.offset, entry.n_bytes, entry.started_at) == (0, path.stat().st_size, NOON)
    assert (entry.n_turns, entry.n_calls, entry.usage, entry.duration_s) == (2, 0, Usage(20, 6), 3.0)
    assert (entry.stop_reason, entry.reward, entry.owner) == (StopReason.SUBMITTED, 1.0, None)


def test_calls_beside_the_main_conversation_count(path: Path) -> None:
    calls = [Call(usage=Usage(100, 7), started_at=NOON + timedelta(seconds=n)) for n in range(3)]
    broken = {"stop_reason": None, "outcome": None, "error": Failure.of(SandboxLost("gone"))}
    TrajectoryStore(path).append(make_trajectory("ls", calls=calls, **broken))
    [entry] = TrajectoryIndex(path).refresh()
    assert (entry.n_turns, entry.n_calls, entry.usage) == (1, 3, Usage(300, 21))
    assert (entry.stop_reason, entry.reward, entry.owner) == (None, None, "sandbox")


def test_every_entry_leads_to_its_trajectory_while_the_file_grows(path: Path) -> None:
    store, index = TrajectoryStore(path), TrajectoryIndex(path)
    assert index.refresh() == []
    trajectories = [make_trajectory("x" * 50_000 * n, "half \ud83d pair", id=f"t{n}") for n in range(3)]
    for n, trajectory in enumerate(trajectories):
        store.append(trajectory)
        assert [entry.id for entry in index.refresh()] == [f"t{n}"]
        assert index.refresh() == []
    assert [index.read(entry) for entry in index.entries] == trajectories


def test_torn_lines_are_stepped_over_also_by_an_index_that_saw_them(path: Path) -> None:
    store, index = TrajectoryStore(path), TrajectoryIndex(path)
    store.append(make_trajectory(id="a"))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    assert len(index.refresh()) == 1
    store.append(make_trajectory(id="b"))
    assert [entry.id for entry in index.refresh()] == ["b"]
    assert index.read(index.entries[1]).id == "b"
    fresh = TrajectoryIndex(path)
    fresh.refresh()
    assert fresh.entries == index.entries


def test_a_file_that_was_replaced_is_read_anew(path: Path) -> None:
    store, index = TrajectoryStore(path), TrajectoryIndex(path)
    for id in ("a", "b"):
        store.append(make_trajectory(id=id))
    index.refresh()
    path.unlink()
    assert index.refresh() == []
    assert index.entries == []
    store.append(make_trajectory(id="c"))
    assert [entry.id for entry in index.refresh()] == ["c"]


def test_a_foreign_line_is_named_and_what_precedes_it_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    TrajectoryStore(path).append(make_trajectory())
    with path.open("a") as file:
        file.write('{"kind": "session"}\n')
    index = TrajectoryIndex(path)
    with pytest.raises(UsageError, match=r"a.jsonl:2: found format_version None, wanted 2; this is no trajectory file"):
        index.refresh()
    assert len(index.entries) == 1


def test_an_id_may_be_given_by_its_beginning(path: Path) -> None:
    store, index = TrajectoryStore(path), TrajectoryIndex(path)
    for id in ("abcd", "abef", "ab", "abcd"):
        store.append(make_trajectory(id=id, attempt=len(index.entries)))
        index.refresh()
    assert index.find("abe").id == "abef"
    assert index.find("ab").id == "ab", "whole before part"
    assert index.find("abcd") is index.entries[3], "the newest"
    with pytest.raises(UsageError, match="3 trajectories have ids that begin with a: abcd, abef, ab"):
        index.find("a")
    with pytest.raises(
        UsageError, match=r"found no trajectory abeg \(nearest known id: \"abef\"\); `agentgym traj list"
    ):
        index.find("abeg")


@pytest.mark.parametrize("offset", [7, 1_000_000])
def test_no_trajectory_begins_elsewhere(tmp_path: Path, offset: int) -> None:
    store = TrajectoryStore(tmp_path / "a.jsonl")
    store.append(make_trajectory())
    with pytest.raises(UsageError, match=f"byte {offset}"):
        store.read_at(offset)
