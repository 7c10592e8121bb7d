"""Loading takes the model and one shard, however many shards there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from policy.checkpoint import save
from policy.config import PolicyConfig
from policy.model import Decoder

SHARD_MB = 8

MEASURE = """
import resource, sys
import torch
from policy.checkpoint import load
def peak_mb():
    # of this program alone: ru_maxrss starts at what the parent had
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024
torch.set_num_threads(1)
load(sys.argv[1])
before = peak_mb()
model = load(sys.argv[2]).model
model_mb = sum(weight.nbytes for weight in model.parameters()) / 2**20
print(before, peak_mb() - before, model_mb)
"""


def test_peak(tmp_path: Path) -> None:
    def config(embed_dim: int, n_layers: int) -> PolicyConfig:
        return PolicyConfig.of(
            {
                "vocab_size": 1000, "embed_dim": embed_dim, "n_heads": 4, "n_kv_heads": 4, "head_dim": embed_dim // 4,
                "ffn_dim": 3 * embed_dim, "max_context": 64, "layers": [{}] * n_layers,
                "rope": {"theta": 1e4, "rotary_dim": embed_dim // 4}, "norm_eps": 1e-5,
            }
        )  # fmt: skip

    # a small one first, so that what the libraries themselves take is not counted
    small = save(Decoder(config(32, 1)), tmp_path / "small", model_type="llama")
    large = Decoder(config(384, 10))
    folder = save(large, tmp_path / "large", model_type="llama", max_shard_bytes=SHARD_MB * 2**20)
    assert len(list(folder.glob("*.safetensors"))) > 8
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(small), str(folder)], capture_output=True, text=True, check=True
    )
    _, grown_mb, model_mb = (float(value) for value in run.stdout.split())
    assert model_mb > 75
    assert grown_mb < model_mb + 1.25 * SHARD_MB
