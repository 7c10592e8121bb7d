"""Every metric that a run tells is in a chart, once."""

from __future__ import annotations

from pathlib import Path

from agentgym.viewer.curves import OTHERS, parts
from agentgym.viewer.training import Series, Training
from tests.viewer.trainings import curve, line, tell

ONE = Series([1], [1.0])


def test_each_metric_has_its_place(tmp_path: Path) -> None:
    training = Training("metrics.jsonl", tell(tmp_path / "metrics.jsonl", *curve(20)))
    training.refresh()
    found = {part.title: {one.title: [line.label for line in one.plot.lines] for one in part.curves} for part in parts(training.series)}  # fmt: skip
    assert found[""] == {"Reward": ["mean"], "Success": ["held-out", "unseen"]}
    assert found["Rollouts and trainer"]["Time"] == ["fetch", "train", "publish", "bookkeeping"]
    assert found["Rollouts and trainer"]["Endings"] == ["submitted", "parse error"]
    assert found["Learning"]["Loss"] == ["policy"]
    assert found["Other metrics"] == {"trainer/sharing": ["sharing"]}
    drawn = [label for part in found.values() for labels in part.values() for label in labels]
    assert len(drawn) == len(training.series) - 2  # eta_s and steps are said in words


def test_strange_metrics_are_shown_up_to_a_number() -> None:
    [part] = parts({f"x{n}": ONE for n in range(1000)})
    assert (part.title, len(part.curves)) == ("Other metrics", OTHERS)


def test_nothing_measured_is_no_part(tmp_path: Path) -> None:
    training = Training("metrics.jsonl", tell(tmp_path / "metrics.jsonl", line("start", 0)))
    training.refresh()
    assert parts(training.series) == []
