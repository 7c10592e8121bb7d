"""The viewer, which knows nothing of `rl`, reads what the loop's records leave."""

from __future__ import annotations

import math
from pathlib import Path

from agentgym.viewer import training
from rl.observe import jsonl
from tests.rl.observe.records import NOON, record, tell


def test_the_viewer_reads_what_is_written(tmp_path: Path) -> None:
    assert jsonl.FILE == training.FILE
    path = tmp_path / jsonl.FILE
    told = [record("start", 0, "begun"), record("step", 1, loss=0.5, ratio=math.nan), record("heldout", 1, success__heldout=0.25)]  # fmt: skip
    tell(jsonl.JsonLines(path), *told, record("end", 1))
    read = training.Training("metrics.jsonl", path)
    read.refresh()
    assert read.problem == ""
    assert {name: one.last for name, one in read.series.items()} == {"loss": 0.5, "ratio": None, "success/heldout": 0.25}  # fmt: skip
    assert (read.began_at, read.is_over, [note.text for note in read.notes]) == (NOON, True, ["begun"])
