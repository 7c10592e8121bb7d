"""`agentgym train` and `agentgym sft` as a user meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from agentgym.backends import make_backend
from agentgym.cli.main import call
from policy.checkpoint import load
from rl.observe.jsonl import read
from tests.require import unavailable
from tests.rl.test_config import written

IMITATION = {"steps": 2, "batch_samples": 4, "optimizer": {"learning_rate": 1e-3}}


def test_help_loads_no_torch() -> None:
    code = "import agentgym.cli.main as m, sys; m.call(['train', '--help']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--resume RUN" in done.stdout


def test_dry_run(tmp_path: Path, policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = written(tmp_path, policy)
    assert call(["train", str(good), "--dry-run"]) == 0
    assert "everything that it names is there" in capsys.readouterr().err
    bad = written(tmp_path, policy, run={"step": 1}, rollouts={"group_size": 1})
    assert call(["train", str(bad), "--dry-run"]) == 2
    assert [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()] == ["error", "error"]
    assert list(tmp_path.iterdir()) == [bad]


def test_usage(tmp_path: Path, policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = written(tmp_path, policy)
    assert call(["train"]) == 2
    assert "found no CONFIG" in capsys.readouterr().err
    assert call(["train", str(good), "--out", str(tmp_path)]) == 2
    assert f"{tmp_path}: exists already; go on with --resume" in capsys.readouterr().err
    assert call(["train", str(good), "--resume", str(tmp_path)]) == 2
    assert "takes everything from" in capsys.readouterr().err
    assert call(["train", "--resume", str(tmp_path / "none")]) == 2
    assert "config.toml: cannot be read" in capsys.readouterr().err
    assert call(["sft", str(good), "--out", str(tmp_path / "sft")]) == 2
    assert "[warmstart] is missing" in capsys.readouterr().err


def test_simulate(tmp_path: Path, policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, policy, scheduler={"order": "windowed"}, simulation={"train_step_s": 10.0})
    assert call(["train", str(file), "--simulate", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["groups_per_s"] > 0
    assert 0 <= figures["trainer_idle_share"] <= 1
    assert call(["train", str(file), "--simulate"]) == 0
    assert "trainer_idle_share" in capsys.readouterr().out


def test_sft(tmp_path: Path, policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, policy, warmstart=IMITATION)
    torch.set_num_threads(2)
    assert call(["sft", str(file), "--out", str(tmp_path / "sft"), "--json"]) == 0
    assert torch.get_num_threads() == 1, "run.torch_threads holds"
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["steps"] == 2
    assert load(told["model"]).model_type == "agentgym"
    # a run that begins with it
    assert call(["train", str(written(tmp_path, told["model"])), "--dry-run"]) == 0


def test_train_in_sandboxes(tmp_path: Path, policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Real sandboxes and verifiers; a policy that knows nothing earns nothing, and the run says so."""
    if not all(check.ok for check in make_backend("namespaces").doctor()):
        unavailable("namespaces", "no namespaces here")
    tables: dict[str, Any] = {
        "warmstart": IMITATION,
        "rollouts": {"barren_groups_max": 2, "group_size": 2, "parallel": 4},
        "scheduler": {"concurrency": 1},
        "heldout": {"tasks": 2},
        "run": {"keep_episodes_share": 1.0},
    }
    run = tmp_path / "run"
    assert call(["train", str(written(tmp_path, policy, **tables)), "--out", str(run), "--json"]) == 3
    assert "groups in a row taught nothing" in capsys.readouterr().err
    assert [record.kind for record in read(run / "metrics.jsonl") if record.kind != "note"] == [
        "start",
        "heldout",
        "end",
    ]
    kept = [json.loads(line) for line in (run / "episodes.jsonl").read_text().splitlines()]
    assert {episode["stop_reason"] for episode in kept} <= {"parse_error", "submitted"}
    assert {episode["outcome"]["reward"] for episode in kept} == {0.0}
    assert (run / "states" / "000000" / "model" / "tokenizer.json").is_file()
