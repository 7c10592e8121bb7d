"""metrics.jsonl: what was told is on disk, and a run that was killed reads as one that was not."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agentgym.errors import UsageError
from rl.observe.jsonl import JsonLines, read
from tests.rl.observe.records import record, tell

WRITER = """
import itertools, sys
from pathlib import Path
from rl.observe.jsonl import JsonLines
from tests.rl.observe.records import record
sink = JsonLines(Path(sys.argv[1]))
for step in itertools.count(1):
    sink.record(record("step", step, reward__mean=step / 7))
    print(step, flush=True)
"""


def test_records_come_back(tmp_path: Path) -> None:
    records = [record("start", 0, "begun"), record("step", 1, reward__mean=0.1), record("end", 1, "done")]
    tell(JsonLines(tmp_path / "run" / "metrics.jsonl"), *records)
    assert read(tmp_path / "run" / "metrics.jsonl") == records


def test_what_was_told_is_on_disk_when_the_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    told = [int(writer.stdout.readline()) for _ in range(20)]
    os.kill(writer.pid, signal.SIGKILL)
    told += [int(line) for line in writer.communicate()[0].splitlines()]
    steps = [each.step for each in read(path)]
    assert steps[: len(told)] == told
    assert len(steps) - len(told) in (0, 1)  # one may have been written and not told


def test_it_goes_on_after_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tell(JsonLines(path), record("start", 0), record("step", 1))
    path.write_bytes(path.read_bytes()[:-5])
    tell(JsonLines(path), record("start", 0), record("step", 1))
    assert read(path) == [record("start", 0), record("start", 0), record("step", 1)]


def test_steps_that_are_done_again_count_once(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tell(JsonLines(path), record("start", 0), *(record("step", n, loss=1.0) for n in range(1, 8)))
    tell(JsonLines(path), record("start", 4), *(record("step", n, loss=2.0) for n in range(5, 7)))
    losses = [(each.step, each.metrics["loss"]) for each in read(path) if each.kind == "step"]
    assert losses == [(1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0), (5, 2.0), (6, 2.0)]


def test_what_is_no_number_is_null(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tell(JsonLines(path), record("step", 1, loss=math.nan, ratio=math.inf, reward=0.5))
    assert json.loads(path.read_text())["metrics"] == {"loss": None, "ratio": None, "reward": 0.5}
    assert math.isnan(read(path)[0].metrics["loss"])


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tell(JsonLines(path), record("start", 0))
    with path.open("a") as file:
        file.write('{"id": 3}\n')
    with pytest.raises(UsageError, match=r"metrics.jsonl:2: found another kind of line, wanted records of a training"):
        read(path)
