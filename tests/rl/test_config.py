"""A config that is wrong is refused before anything starts: every problem at once, in one line each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli_w

from rl.check import read_config
from rl.errors import ConfigProblems
from tests.rl import even


def written(folder: Path, policy: Path | str, **tables: Any) -> Path:
    """A file; a table that is None is left out."""
    data: dict[str, Any] = {**even.CONFIG, "model": {**even.CONFIG["model"], "name": str(policy)}}
    for name, values in tables.items():
        data[name] = None if values is None else {**data.get(name, {}), **values}
    file = folder / "config.toml"
    file.write_text(tomli_w.dumps({name: values for name, values in data.items() if values is not None}))
    return file


def refused(file: Path, **more: Any) -> list[str]:
    with pytest.raises(ConfigProblems) as told:
        read_config(file, **more)
    assert all("\n" not in line for line in told.value.lines)
    assert all(line.startswith(f"{file}: ") for line in told.value.lines)
    return [line.removeprefix(f"{file}: ") for line in told.value.lines]


def test_sound(tmp_path: Path, policy: Path) -> None:
    file = written(tmp_path, policy)
    config, data = read_config(file, overrides={"run": {"seed": 7}})
    assert config.run.seed == data["run"]["seed"] == 7
    assert config.run.steps == 6
    assert config.trainer.optimizer.learning_rate == 1e-3


@pytest.mark.parametrize(
    ("tables", "line"),
    [
        ({"run": {"step": 3}}, 'run.step: unknown key (nearest known key: "steps")'),
        ({"rollout": {"group_size": 4}}, 'unknown table [rollout] (nearest known table: "rollouts")'),
        ({"trainer": None}, "[trainer] is missing"),
        ({"rollouts": {"group_size": 1}}, "rollouts.group_size: input should be greater than or equal to 2, found 1"),
        (
            {"trainer": {"objective": {"w_max": 0.5}}},
            "trainer.objective.w_max: input should be greater than or equal to 1, found 0.5",
        ),
        ({"scheduler": {"order": "windowed", "span": 8, "window": 9}}, "scheduler: window 9 is more than span 8: wanted W <= N"),
        ({"tasks": {"train": ["repairs:trains"]}}, 'tasks.train: found split "trains", wanted one of train, heldout, unseen (nearest known split: "train")'),
        ({"tasks": {"train": ["no-such-task"]}}, 'tasks.train: found no task "no-such-task"'),
        ({"tasks": {"heldout": ["repairs:train"]}}, "tasks.heldout: repairs:train is trained on as well"),
        ({"model": {"name": "nowhere"}}, "model.name: nowhere: no such folder or file"),
        ({"model": {"name": "endpoint:gpt-x"}}, "model.name: endpoint:gpt-x shows no token ids"),
        ({"model": {"window_tokens": 1024}}, "model.window_tokens: 1024 is more than the 512 tokens"),
        ({"model": {"device": "gpu"}}, "model.name: device 'gpu' cannot be used"),
        ({"trainer": {"microbatch_tokens": 300}}, "trainer.microbatch_tokens: 300 is less than a sample may have"),
        ({"rollouts": {"scaffold": "repairs"}}, "rollouts.scaffold: no scaffold is called 'repairs'"),
        ({"rollouts": {"scaffold": "oracle"}}, "rollouts.scaffold: oracle asks no model, so it leaves no token ids"),
        ({"rollouts": {"sandbox": "chroot"}}, "rollouts.sandbox: no sandbox backend is called 'chroot'"),
        (
            {"rollouts": {"share_commands": True}, "reward": {"speed_weight": 0.1}},
            "reward.speed_weight: shared commands take no time",
        ),
        ({"run": {"updates_per_batch": 3}}, "run.updates_per_batch: 3 is more than the 2 groups of a batch"),
        (
            {"run": {"steps": 4}, "trainer": {"optimizer": {"learning_rate": 1e-3, "decay_steps": 3}}},
            "trainer.optimizer.decay_steps: after 3 updates the other 1 of the run change nothing",
        ),
        ({"curriculum": {"stages": [{"weights": {"elsewhere": 1}}]}}, "curriculum: found stages of unknown sources"),
        (
            {"warmstart": {"steps": 2, "optimizer": {"learning_rate": 1e-3}, "demonstrations": "nothing.jsonl"}},
            "warmstart.demonstrations: nothing.jsonl: found no solved trajectory",
        ),
    ],
)  # fmt: skip
def test_refused(tmp_path: Path, policy: Path, tables: dict[str, Any], line: str) -> None:
    [found] = refused(written(tmp_path, policy, **{"model": {}, **tables}))
    assert found.startswith(line)


def test_every_problem_at_once(tmp_path: Path) -> None:
    wrong = {
        "run": {"step": 3, "seed": "x"},
        "tasks": {"train": ["no-such-task", "neither-this"]},
        "rollouts": {"group_size": 1},
        "scheduler": {"batch_groups": 0},
    }
    lines = refused(written(tmp_path, "nowhere", **wrong))
    assert sorted(line.partition(":")[0] for line in lines) == [
        "model.name", "rollouts.group_size", "run.seed", "run.step", "scheduler.batch_groups", "tasks.train", "tasks.train",
    ]  # fmt: skip


def test_no_file_and_no_toml(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.toml") == ["cannot be read: No such file or directory"]
    (tmp_path / "bad.toml").write_text("[run\n")
    [line] = refused(tmp_path / "bad.toml")
    assert line.startswith("is no TOML: ")
