"""`python -m policy.convert MODEL --out FOLDER`: convert, warm up on text, report perplexities, save.

The last tenth of the text is held out: perplexities are over it alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from policy import checkpoint
from policy.config import MSAConfig
from policy.convert import perplexity, warm_up, with_msa
from policy.model import Decoder
from policy.tokenizer import Tokenizer


def main() -> int:
    options = _options()
    try:
        found = _convert(options)
    except (OSError, ValueError) as error:  # what the checkpoint, the config, the tokenizer and the text raise
        _say(f"convert: {error}")
        return 2
    _print(found, options.block_size * options.top_k, as_json=options.json)
    return 0


def _convert(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Perplexities over held-out text: model -> window -> value."""
    if options.out and options.out.exists():
        raise ValueError(f"{options.out}: exists already; give a folder that does not")
    loaded = checkpoint.load(options.model)
    tokenizer = Tokenizer.load(loaded.source)
    text = "\n\n".join(path.read_text(encoding="utf-8") for path in options.text)
    tokens_T = torch.tensor(tokenizer.encode(text))
    if len(tokens_T) < 2 * options.window:
        found = f"found {len(tokens_T)} tokens of text"
        raise ValueError(f"{found}, wanted two windows of {options.window} at least: one to learn from, one held out")
    n_held_out = max(len(tokens_T) // 10, options.window)
    train_T, held_out_T = tokens_T[:-n_held_out], tokens_T[-n_held_out:]
    msa = MSAConfig(index_dim=loaded.model.config.head_dim, block_size=options.block_size, top_k=options.top_k)
    exact = msa.block_size * msa.top_k
    windows = [window for window in (exact, 2 * exact, 4 * exact, 8 * exact) if window <= n_held_out]

    def measured(model: Decoder, name: str) -> dict[str, float]:
        _say(f"perplexity of {name}")
        return {str(window): perplexity(model, held_out_T, window=window) for window in windows}

    student = with_msa(loaded.model, msa)
    result = {"dense": measured(loaded.model, "the dense model"), "msa, before": measured(student, "MSA as it starts")}
    for step, loss in enumerate(warm_up(student, train_T, window=options.window, n_steps=options.steps), 1):
        _say(f"step {step}/{options.steps}: KL {loss:.4f}", end="\r" if step < options.steps else "\n")
    result["msa, warmed up"] = measured(student, "MSA warmed up")
    if options.out:
        checkpoint.save(student, options.out, model_type="agentgym")
        tokenizer.save(options.out)
    return result


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m policy.convert", description="Softmax attention into MSA.")
    parser.add_argument("model", help="smollm2, or a checkpoint folder")
    parser.add_argument("--text", type=Path, nargs="+", required=True, help="UTF-8 files to warm up on")
    parser.add_argument("--block-size", type=int, default=32, help="tokens in a block")
    parser.add_argument("--top-k", type=int, default=8, help="blocks that a query sees")
    parser.add_argument("--window", type=int, default=1024, help="tokens in a training sequence")
    parser.add_argument("--steps", type=int, default=100, help="optimizer steps of the warm-up")
    parser.add_argument("--out", type=Path, help="folder to save to")
    parser.add_argument("--json", action="store_true", help="perplexities as JSON")
    return parser.parse_args()


def _print(found: dict[str, dict[str, float]], exact: int, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"exact_tokens": exact, "perplexity": found}))
        return
    windows = list(next(iter(found.values())))
    print(f"{'window (tokens)':18}" + "".join(f"{window:>10}" for window in windows))
    for name, values in found.items():
        print(f"{name:18}" + "".join(f"{values[window]:10.3f}" for window in windows))


def _say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
