"""The configs that come with the house: what they name fits, and the two minutes of configs/ci.toml teach something."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rl.check import read_config

CONFIGS = Path(__file__).parents[2] / "configs"
NEEDS = {"smollm2.toml": "models/smollm2-msa"}
"""What has to be made first."""


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.toml")), ids=lambda file: file.name)
def test_what_a_config_names_is_there(file: Path) -> None:
    assert file.read_text().startswith("# "), "the first line says what a run costs"
    made = {"model": {"name": "smollm2"}} if file.name in NEEDS else {}
    config, data = read_config(file, overrides=made)
    assert config.run.steps == data["run"]["steps"]


@pytest.mark.training
def test_success_rises(tmp_path: Path) -> None:
    argv = [
        sys.executable,
        "-m",
        "agentgym",
        "train",
        str(CONFIGS / "ci.toml"),
        "--out",
        str(tmp_path / "run"),
        "--json",
    ]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True)
    said = json.loads(done.stdout.splitlines()[-1])
    before, after = (sum(said[split][when] for split in ("heldout", "unseen")) / 2 for when in ("before", "after"))
    assert after > before + 0.02
