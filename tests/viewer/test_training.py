"""metrics.jsonl: taken in as it grows, and as if the run had never been killed."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from agentgym.viewer.training import Training
from tests.viewer.trainings import curve, line, tell


@pytest.fixture
def training(tmp_path: Path) -> Training:
    return Training("quick/metrics.jsonl", tmp_path / "quick" / "metrics.jsonl")


def read(training: Training) -> dict[str, list[tuple[int, float]]]:
    training.refresh()
    return {name: list(zip(one.steps, one.values, strict=True)) for name, one in training.series.items()}


def test_each_metric_is_a_series(training: Training) -> None:
    tell(training.path, *curve(8))
    series = read(training)
    assert [step for step, _ in series["reward/mean"]] == list(range(1, 9))
    assert [step for step, _ in series["success/heldout"]] == list(range(9))
    assert (training.step, training.spent_s, training.problem) == (8, 16.0, "")
    assert [note.text for note in training.notes] == ["from nothing"]
    assert (training.title, training.episodes) == ("quick", "quick/episodes.jsonl")


def test_what_is_appended_is_taken_in(training: Training) -> None:
    tell(training.path, line("start", 0), line("step", 1, loss=1.0))
    assert read(training) == {"loss": [(1, 1.0)]}
    stamp = training.stamp
    training.refresh()
    assert training.stamp == stamp
    tell(training.path, line("step", 2, loss=2.0))
    assert read(training) == {"loss": [(1, 1.0), (2, 2.0)]}
    assert training.stamp != stamp


def test_a_line_in_writing_waits_and_a_torn_one_is_stepped_over(training: Training) -> None:
    tell(training.path, line("step", 1, loss=1.0))
    with training.path.open("a") as file:
        file.write('{"kind": "step", "st')
    assert read(training) == {"loss": [(1, 1.0)]}
    tell(training.path, line("step", 2, loss=2.0))  # another writer
    assert read(training) == {"loss": [(1, 1.0), (2, 2.0)]}
    assert training.problem == ""


def test_a_run_that_goes_on_from_a_state_does_some_steps_again(training: Training) -> None:
    tell(training.path, *(line("step", n, loss=1.0) for n in range(1, 8)), line("note", 7, "lost"))
    tell(training.path, line("start", 4, "goes on"), *(line("step", n, loss=2.0) for n in (5, 6)))
    assert read(training) == {"loss": [(1, 1), (2, 1), (3, 1), (4, 1), (5, 2), (6, 2)]}
    assert [note.text for note in training.notes] == ["goes on"]
    assert training.step == 6


def test_what_is_no_number_is_a_gap(training: Training) -> None:
    tell(training.path, line("step", 1, loss=1.0), line("step", 2, loss=None))
    training.refresh()
    loss = training.series["loss"]
    assert math.isnan(loss.values[1])
    assert (loss.first, loss.last) == (1.0, 1.0)


def test_another_file_says_why_it_cannot_be_read(training: Training) -> None:
    tell(training.path, line("step", 1, loss=1.0), {"id": 3})
    assert read(training) == {"loss": [(1, 1.0)]}
    assert training.problem == "line 2 is no record of a training run"


def test_a_file_that_was_replaced_is_read_anew(training: Training) -> None:
    tell(training.path, *(line("step", n, loss=1.0) for n in range(9)))
    read(training)
    tell(training.path.with_name("new"), line("step", 1, loss=5.0)).rename(training.path)
    assert read(training) == {"loss": [(1, 5.0)]}
    assert training.step == 1


def test_it_is_over_when_it_says_so_or_writes_nothing(training: Training) -> None:
    tell(training.path, line("step", 1))
    training.refresh()
    assert not training.is_over
    os.utime(training.path, (0, 0))
    assert training.is_over
    tell(training.path, line("end", 1, "done"))
    training.refresh()
    assert training.is_over


def test_the_config_beside_it(training: Training) -> None:
    assert training.config == ""
    tell(training.path, line("start", 0))
    training.path.with_name("config.toml").write_text(json.dumps("x") * 100_000)
    assert len(training.config) == 64_000
