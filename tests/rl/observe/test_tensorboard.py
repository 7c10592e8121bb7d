"""What TensorBoard's own reader finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rl.observe.tensorboard import TensorBoard
from tests.rl.observe.records import NOON, record, tell


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    found = EventAccumulator(str(folder))
    found.Reload()
    return [(event.step, pytest.approx(event.value)) for event in found.Scalars(name)]


def test_metrics_are_scalars_at_their_step_and_time(tmp_path: Path) -> None:
    steps = [record("step", n, reward__mean=n / 10) for n in range(1, 4)]
    tell(TensorBoard(tmp_path), record("start", 0, "begun"), *steps, record("end", 3))
    assert scalars(tmp_path, "reward/mean") == [(1, 0.1), (2, 0.2), (3, 0.3)]
    found = EventAccumulator(str(tmp_path))
    found.Reload()
    assert found.Scalars("reward/mean")[0].wall_time == NOON.timestamp() + 1
    assert found.Tags()["tensors"] == ["start/text_summary"]


def test_steps_that_are_done_again_are_shown_once(tmp_path: Path) -> None:
    tell(TensorBoard(tmp_path), record("start", 0), *(record("step", n, loss=1) for n in range(1, 8)))
    tell(TensorBoard(tmp_path), record("start", 4), *(record("step", n, loss=2) for n in range(5, 7)))
    assert scalars(tmp_path, "loss") == [(1, 1), (2, 1), (3, 1), (4, 1), (5, 2), (6, 2)]
