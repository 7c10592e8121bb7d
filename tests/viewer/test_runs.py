"""Which runs there are below a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentgym.viewer import runs
from agentgym.viewer.runs import Folder
from tests.viewer.episodes import journal, many, opened, rich, write
from tests.viewer.trainings import curve, tell


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path)
    yield made
    made.close()


def test_files_of_trajectories_however_deep(tmp_path: Path, folder: Folder) -> None:
    write(tmp_path / "b.jsonl", rich())
    write(tmp_path / "deep" / "er" / "a.jsonl.gz", rich(), rich(id="2"))
    write(tmp_path / ".hidden" / "no.jsonl", rich())
    (tmp_path / "notes.txt").write_text("no")
    (tmp_path / os.fsdecode(b"no\xff.jsonl")).write_text("its name is no text")
    assert [(run.name, len(run.entries)) for run in folder.runs()] == [("b.jsonl", 1), ("deep/er/a.jsonl.gz", 2)]


def test_a_file_of_metrics_is_a_training_run(tmp_path: Path, folder: Folder) -> None:
    tell(tmp_path / "quick" / "metrics.jsonl", *curve(3))
    write(tmp_path / "quick" / "episodes.jsonl", rich())
    assert [run.name for run in folder.runs()] == ["quick/episodes.jsonl"]
    assert [(one.name, one.step) for one in folder.trainings()] == [("quick/metrics.jsonl", 3)]
    one = folder.training("quick/metrics.jsonl")
    assert one is folder.training("quick/metrics.jsonl")
    assert folder.run("quick/metrics.jsonl") is None
    assert folder.training("quick/episodes.jsonl") is None


def test_a_journal_is_no_run_but_its_run_may_have_nothing_else_yet(tmp_path: Path, folder: Folder) -> None:
    write(tmp_path / "a.jsonl.gz", rich())
    journal(tmp_path / "a.calls.jsonl", opened("e1"))
    journal(tmp_path / "new.calls.jsonl", opened("e2"))
    found = {run.name: list(run.unrecorded) for run in folder.runs()}
    assert found == {"a.jsonl.gz": ["e1"], "new.jsonl": ["e2"]}


def test_what_is_appended_is_taken_in(tmp_path: Path, folder: Folder) -> None:
    path = write(tmp_path / "a.jsonl", rich(id="e1"))
    journal(tmp_path / "a.calls.jsonl", opened("e2"))
    run = folder.run("a.jsonl")
    assert run is not None
    stamp = run.stamp
    assert folder.run("a.jsonl") is run
    assert run.stamp == stamp
    write(path, rich(id="e2"))
    folder.run("a.jsonl")
    assert ([entry.id for entry in run.entries], run.unrecorded) == (["e1", "e2"], {})
    assert run.stamp != stamp


def test_another_file_says_why_it_cannot_be_read(tmp_path: Path, folder: Folder) -> None:
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n')
    (run,) = folder.runs()
    assert "this is no trajectory file" in run.problem


def test_a_long_file_keeps_nobody_waiting(tmp_path: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    many(tmp_path / "a.jsonl", 3000)
    monkeypatch.setattr(runs, "WAIT_S", 0.001)
    (run,) = folder.runs()
    assert not run.is_read
    assert run.reading is not None
    stamp = run.stamp
    run.reading.result(30)
    assert run.is_read
    assert len(run.entries) == 3000
    assert run.stamp != stamp


@pytest.mark.parametrize("name", ["../a.jsonl", "/etc/x.jsonl", "a.jsonl/", "./a.jsonl", "", "A.jsonl"])
def test_a_name_is_looked_up_and_no_path(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "inside"
    write(tmp_path / "a.jsonl", rich())
    write(inside / "a.jsonl", rich())
    folder = Folder(inside)
    assert folder.run(name) is None
    assert folder.run("a.jsonl") is not None
    folder.close()


def test_a_run_that_has_gone_quiet(tmp_path: Path, folder: Folder) -> None:
    journal(tmp_path / "a.calls.jsonl", opened("e1"))
    (run,) = folder.runs()
    assert not run.is_quiet
    os.utime(tmp_path / "a.calls.jsonl", (0, 0))
    assert run.is_quiet
