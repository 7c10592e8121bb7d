"""`python -m policy.convert` on SmolLM2's real weights: few and short windows, since it is about the way through."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import torch

from policy import checkpoint
from policy.tokenizer import Tokenizer

LICENSE = Path(__file__).parents[3] / "LICENSE"


def convert(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "policy.convert", *arguments], capture_output=True, text=True)


def test_smollm2_becomes_sparse(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text(LICENSE.read_text()[:500])
    out = tmp_path / "sparse"
    options = ["--block-size", "16", "--top-k", "1", "--window", "32", "--steps", "1", "--json", "--out", str(out)]
    done = convert("smollm2", "--text", str(text), *options)
    assert done.returncode == 0, done.stderr
    assert "step 1/1: KL" in done.stderr
    report = json.loads(done.stdout)
    perplexities = report["perplexity"]
    assert report["exact_tokens"] == 16
    assert abs(perplexities["dense"]["16"] - perplexities["msa, warmed up"]["16"]) < 1e-3
    assert perplexities["dense"]["32"] < perplexities["msa, before"]["32"]
    again = checkpoint.load(out)
    assert {layer.mixer for layer in again.config.layers} == {"msa"}
    assert again.model.embedding.weight.dtype == torch.float32
    assert Tokenizer.load(out).encode("def f(x):") == Tokenizer.load(checkpoint.load("smollm2").source).encode(
        "def f(x):"
    )


def test_too_little_text_is_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("short")
    done = convert("smollm2", "--text", str(text), "--window", "64")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("convert: found ")
    assert "Traceback" not in done.stderr


def test_no_such_model(tmp_path: Path) -> None:
    done = convert("smollm3", "--text", str(LICENSE))
    assert done.returncode == 2
    assert (
        done.stderr == 'convert: smollm3: no such folder or file, and no known name (smollm2), did you mean "smollm2"\n'
    )
