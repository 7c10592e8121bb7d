"""The loop as a whole: it learns, versions follow each other, failures never train, and nothing stalls it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from agentgym.errors import ModelError
from agentgym.protocols import StopReason
from agentgym.rollout import Job
from agentgym.trajectory import Failure, Trajectory
from rl.assembly import assembled
from rl.errors import NothingToLearn, TrainingError
from rl.observe.jsonl import read
from rl.resume import TrainedGroups
from rl.run_folder import RunFolder
from tests.rl import even


def slots(folder: Path) -> list[int]:
    """Of all groups that were trained on, in order."""
    return [slot for of_step in TrainedGroups(RunFolder(folder).groups).slots().values() for slot in of_step]


def test_it_learns(tmp_path: Path, policy: Path) -> None:
    """Ids that are even are rewarded: a fresh policy comes to sample more of them."""
    tables = {
        "run": {"steps": 16, "updates_per_batch": 2},
        "scheduler": {"batch_groups": 4, "concurrency": 4, "order": "sync"},
        "rollouts": {"group_size": 8},
        "heldout": {"tasks": 48, "every_steps": None},
        "trainer": {"optimizer": {"learning_rate": 1e-2}},
    }
    result, records = even.run(tmp_path / "run", even.config(policy, **tables))
    assert result.after["heldout"] > result.before["heldout"] + 0.2
    steps = [record.metrics for record in records.of("step")]
    assert [metrics["lag/versions_max"] for metrics in steps] == [0.0] * 16
    assert [record.step for record in records.of("heldout")] == [0, 16]
    assert {"reward/mean", "idle/trainer", "eta_s", "stop/submitted", "trainer/grad_norm"} <= set(steps[0])
    assert not list((tmp_path / "run" / "scratch").glob("**/task.toml"))


def test_a_batch_is_cut_into_updates(tmp_path: Path, policy: Path) -> None:
    for updates in (1, 2):
        tables: dict[str, Any] = {"run": {"steps": 1, "updates_per_batch": updates}, "tasks": {"heldout": []}}
        _, records = even.run(tmp_path / str(updates), even.config(policy, **tables), even.alternating)
        [step] = [record.metrics for record in records.of("step")]
        assert step["trainer/microbatches"] == updates


def test_asynchronous_steps_train_on_older_versions(tmp_path: Path, policy: Path) -> None:
    result, records = even.run(tmp_path / "run", even.config(policy), even.alternating)
    assert result.steps == 6
    assert slots(tmp_path / "run") == list(range(12))
    assert max(record.metrics["lag/versions_max"] for record in records.of("step")) >= 1


def test_what_infrastructure_breaks_is_run_again_and_never_trains(tmp_path: Path, policy: Path) -> None:
    broken = threading.Lock()
    n_broken = 0

    def now_and_then(job: Job, **more: Any) -> Trajectory:
        nonlocal n_broken
        with broken:
            n_broken += job.attempt == 1
            breaks = job.attempt == 1 and n_broken % 2
        if not breaks:
            return even.alternating(job, **more)
        failure = Failure.of(ModelError("gone"))
        return even.trajectory(job, reward=None, stop_reason=StopReason.MODEL_ERROR, error=failure)

    _, records = even.run(
        tmp_path / "run", even.config(policy, run={"steps": 3}, rollouts={"retries": 20}), now_and_then
    )
    lines = (tmp_path / "run" / "groups.jsonl").read_text()
    assert lines.count("[0.0, 1.0, 0.0, 1.0]") == 6
    assert sum(record.metrics.get("stop/model_error", 0.0) for record in records.of("step")) >= 3


def test_a_run_that_infrastructure_breaks_for_good_ends_with_its_error(tmp_path: Path, policy: Path) -> None:
    def broken(job: Job, **more: Any) -> Trajectory:
        failure = Failure.of(ModelError("the disk is on fire"))
        return even.trajectory(job, reward=None, stop_reason=StopReason.MODEL_ERROR, error=failure)

    config = even.config(policy, tasks={"heldout": []}, rollouts={"broken_groups_max": 3})
    with pytest.raises(TrainingError, match=r"groups in a row .* ModelError: the disk is on fire; mend that"):
        even.run(tmp_path / "run", config, broken)


def test_a_run_without_anything_to_learn_ends(tmp_path: Path, policy: Path) -> None:
    def all_the_same(job: Job, **more: Any) -> Trajectory:
        return even.trajectory(job, reward=0.0, calls=even.alternating(job, **more).calls)

    config = even.config(policy, tasks={"heldout": []}, rollouts={"barren_groups_max": 5})
    with pytest.raises(NothingToLearn, match="groups in a row taught nothing"):
        even.run(tmp_path / "run", config, all_the_same)
    *_, last = read(tmp_path / "run" / "metrics.jsonl")
    assert (last.kind, last.step) == ("end", 0)
    assert "groups in a row taught nothing" in last.text


def test_what_is_left_where_nothing_more_can_be_learnt_is_measured(tmp_path: Path, policy: Path) -> None:
    """After a step in which rewards differed."""
    n_begun = 0

    def soon_all_the_same(job: Job, **more: Any) -> Trajectory:
        nonlocal n_begun
        n_begun += 1
        trajectory = even.alternating(job, **more)
        return trajectory if n_begun < 40 else even.trajectory(job, reward=0.0, calls=trajectory.calls)

    config = even.config(policy, heldout={"every_steps": None}, rollouts={"barren_groups_max": 5})
    with pytest.raises(NothingToLearn):
        even.run(tmp_path / "run", config, soon_all_the_same)
    records = read(tmp_path / "run" / "metrics.jsonl")
    assert records[-1].step > 0
    assert [record.kind for record in records[-2:]] == ["heldout", "end"]
    assert (RunFolder(tmp_path / "run").states / f"{records[-1].step:06d}").is_dir()


@pytest.mark.parametrize("how", ["given up", "head deadline"])
def test_an_episode_that_hangs_stalls_nothing(tmp_path: Path, policy: Path, how: str) -> None:
    """For ever, with every worker: their places are filled again."""
    hang, n_hung = threading.Event(), 0

    def hanging(job: Job, **more: Any) -> Trajectory:
        nonlocal n_hung
        if job.attempt == 2 and n_hung < 2:
            n_hung += 1
            hang.wait(60)
        return even.alternating(job, **more)

    limits: dict[str, Any] = {"rollouts": {"parallel": 2, "give_up_s": 2.0, "retries": 0}}
    if how == "head deadline":
        limits = {"rollouts": {"parallel": 2}, "scheduler": {"head_deadline_s": 1.0}}
    try:
        result, records = even.run(
            tmp_path / "run", even.config(policy, run={"steps": 4}, tasks={"heldout": []}, **limits), hanging
        )
    finally:
        hang.set()
    assert result.steps == 4
    lost = sum(record.metrics["groups/tombstones"] for record in records.of("step"))
    assert lost or how == "given up"


def test_shuffled_rewards_are_those_of_the_group(tmp_path: Path, policy: Path) -> None:
    even.run(
        tmp_path / "run", even.config(policy, run={"steps": 2}, rollouts={"shuffle_rewards": True}), even.alternating
    )
    lines = (tmp_path / "run" / "groups.jsonl").read_text()
    assert lines.count("[0.0, 1.0, 0.0, 1.0]") < 4
    assert lines.count("1.0") == lines.count("0.0") == 8


def test_the_window_opens_when_rollouts_fill_it(tmp_path: Path, policy: Path) -> None:
    """Nearly every reply is cut off at the window, so the next stage is due as soon as perplexity has settled."""
    window = {"windows_tokens": [2, 3], "history_steps": 2, "slope_max": 100.0, "patience_steps": 1}
    run = tmp_path / "run"
    config = even.config(policy, run={"steps": 5}, scheduler={"order": "sync"}, window=window, tasks={"heldout": []})
    _, records = even.run(run, config, even.alternating)
    assert [record.text for record in records.of("note")] == ["a rollout may sample 3 tokens from now on"]
    sampled = [record.metrics["trainer/trained_tokens"] for record in records.of("step")]
    assert max(sampled[:2]) <= 16 < min(sampled[2:])
    assert max(sampled) <= 24
    # and stays open
    _, records = even.run(
        run, config.model_copy(update={"run": config.run.model_copy(update={"steps": 6})}), even.alternating
    )
    assert [record.metrics["trainer/trained_tokens"] > 16 for record in records.of("step")] == [True]


def test_a_held_out_episode_that_hangs_is_left_out(tmp_path: Path, policy: Path) -> None:
    hang, held = threading.Event(), threading.Lock()

    def hanging(job: Job, **more: Any) -> Trajectory:
        if held.acquire(blocking=False):
            hang.wait(60)
        return even.trajectory(job, reward=1.0)

    config = even.config(policy, run={"steps": 1}, rollouts={"give_up_s": 1.0}, heldout={"tasks": 3})
    try:
        with assembled(config, RunFolder(tmp_path), told=print, roll=hanging) as parts:
            assert parts.heldout.measure(threading.Event()) == {"heldout": 1.0}
            stop = threading.Event()
            stop.set()
            assert parts.heldout.measure(stop) is None
    finally:
        hang.set()
